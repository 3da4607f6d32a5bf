// Atomic operations on the types for which CUDA has none of the name.
#pragma once

#include <stdint.h>

#ifdef __CUDACC__

namespace port {

// Replaces *address by change(*address) in one step, and returns what was there.
template <typename Bits, typename T, typename Change>
__device__ T exchanged(T* address, Change change) {
  static_assert(sizeof(Bits) == sizeof(T));
  Bits* const bits = reinterpret_cast<Bits*>(address);
  Bits seen = *bits;
  while (true) {
    T before;
    memcpy(&before, &seen, sizeof(T));
    const T after = change(before);
    Bits wanted;
    memcpy(&wanted, &after, sizeof(T));
    const Bits found = atomicCAS(bits, seen, wanted);
    if (found == seen) {
      return before;
    }
    seen = found;
  }
}

}  // namespace port

// The functions take CUDA's names, so that a kernel reads the same for every type. long is int64_t here.
__device__ inline int64_t atomicAdd(int64_t* address, int64_t value) {
  return atomicAdd(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));
}
__device__ inline uint64_t atomicAdd(uint64_t* address, uint64_t value) {
  return atomicAdd(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));
}
__device__ inline int64_t atomicSub(int64_t* address, int64_t value) { return atomicAdd(address, -value); }
__device__ inline uint64_t atomicSub(uint64_t* address, uint64_t value) { return atomicAdd(address, -value); }
__device__ inline float atomicSub(float* address, float value) { return atomicAdd(address, -value); }
__device__ inline double atomicSub(double* address, double value) { return atomicAdd(address, -value); }

__device__ inline int64_t atomicMax(int64_t* address, int64_t value) {
  return atomicMax(reinterpret_cast<long long*>(address), static_cast<long long>(value));
}
__device__ inline uint64_t atomicMax(uint64_t* address, uint64_t value) {
  return atomicMax(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));
}
__device__ inline int64_t atomicMin(int64_t* address, int64_t value) {
  return atomicMin(reinterpret_cast<long long*>(address), static_cast<long long>(value));
}
__device__ inline uint64_t atomicMin(uint64_t* address, uint64_t value) {
  return atomicMin(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));
}

// A NaN on either side leaves the memory as it is.
__device__ inline float atomicMax(float* address, float value) {
  return port::exchanged<unsigned int>(address, [=](float old) { return value > old ? value : old; });
}
__device__ inline double atomicMax(double* address, double value) {
  return port::exchanged<unsigned long long>(address, [=](double old) { return value > old ? value : old; });
}
__device__ inline float atomicMin(float* address, float value) {
  return port::exchanged<unsigned int>(address, [=](float old) { return value < old ? value : old; });
}
__device__ inline double atomicMin(double* address, double value) {
  return port::exchanged<unsigned long long>(address, [=](double old) { return value < old ? value : old; });
}

#define PORT_ATOMIC_BITS(operation)                                                                            \
  __device__ inline int64_t operation(int64_t* address, int64_t value) {                                       \
    return operation(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));  \
  }                                                                                                            \
  __device__ inline uint64_t operation(uint64_t* address, uint64_t value) {                                    \
    return operation(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));  \
  }
PORT_ATOMIC_BITS(atomicAnd)
PORT_ATOMIC_BITS(atomicOr)
PORT_ATOMIC_BITS(atomicXor)
PORT_ATOMIC_BITS(atomicExch)
#undef PORT_ATOMIC_BITS

__device__ inline double atomicExch(double* address, double value) {
  return port::exchanged<unsigned long long>(address, [=](double) { return value; });
}

__device__ inline int64_t atomicCAS(int64_t* address, int64_t old, int64_t value) {
  return atomicCAS(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(old),
                   static_cast<unsigned long long>(value));
}
__device__ inline uint64_t atomicCAS(uint64_t* address, uint64_t old, uint64_t value) {
  return atomicCAS(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(old),
                   static_cast<unsigned long long>(value));
}

#else

// Threads run one at a time: every operation is in one step.
namespace port {

template <typename T, typename Change>
T exchanged(T* address, Change change) {
  const T before = *address;
  *address = change(before);
  return before;
}

}  // namespace port

// clang-format off
template <typename T, typename V> T atomicAdd(T* a, V v) { return port::exchanged(a, [=](T old) { return T(old + T(v)); }); }
template <typename T, typename V> T atomicSub(T* a, V v) { return port::exchanged(a, [=](T old) { return T(old - T(v)); }); }
template <typename T, typename V> T atomicMax(T* a, V v) { return port::exchanged(a, [=](T old) { return T(v) > old ? T(v) : old; }); }
template <typename T, typename V> T atomicMin(T* a, V v) { return port::exchanged(a, [=](T old) { return T(v) < old ? T(v) : old; }); }
template <typename T, typename V> T atomicAnd(T* a, V v) { return port::exchanged(a, [=](T old) { return T(old & T(v)); }); }
template <typename T, typename V> T atomicOr(T* a, V v) { return port::exchanged(a, [=](T old) { return T(old | T(v)); }); }
template <typename T, typename V> T atomicXor(T* a, V v) { return port::exchanged(a, [=](T old) { return T(old ^ T(v)); }); }
template <typename T, typename V> T atomicExch(T* a, V v) { return port::exchanged(a, [=](T) { return T(v); }); }
template <typename T, typename V> T atomicInc(T* a, V v) { return port::exchanged(a, [=](T old) { return old >= T(v) ? T(0) : T(old + 1); }); }
template <typename T, typename V> T atomicDec(T* a, V v) { return port::exchanged(a, [=](T old) { return old == 0 || old > T(v) ? T(v) : T(old - 1); }); }
template <typename T, typename U, typename V> T atomicCAS(T* a, U o, V v) { return port::exchanged(a, [=](T old) { return old == T(o) ? T(v) : old; }); }
// clang-format on

#endif
