// CUDA's language for a C++ compiler: a kernel runs on the CPU, its blocks one after another.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "fibers.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __constant__ static
#define __shared__ static thread_local
#define __launch_bounds__(...)

#ifdef __FLT16_MAX__
using __half = _Float16;
inline __half __float2half(float x) { return static_cast<__half>(x); }
inline float __half2float(__half x) { return x; }
#endif

// Macros, since C libraries declare some of these names.
#define rsqrt(x) (1 / sqrt(x))
#define rsqrtf(x) (1 / sqrtf(x))
#define __fdividef(x, y) ((x) / (y))
#define __cosf cosf
#define __expf expf
#define __exp10f exp10f
#define __logf logf
#define __log10f log10f
#define __log2f log2f
#define __powf powf
#define __sinf sinf
#define __tanf tanf

using std::max;
using std::min;

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

using cudaStream_t = void*;

inline thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;
constexpr int warpSize = port::WARP;

namespace port {

inline thread_local std::vector<char> dynamic_memory;
inline thread_local Fibers fibers;

inline int lane_id() {
  return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % WARP;
}

inline void become(unsigned thread) {
  threadIdx = dim3(thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / (blockDim.x * blockDim.y));
}

// Runs kernel(arguments...) for each thread of each block. Threads that never wait for each other run one after
// another; synchronises says that they do, so that each needs a stack of its own.
template <bool synchronises, typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t, Arguments... arguments) {
  const unsigned threads = block.x * block.y * block.z;
  gridDim = grid;
  blockDim = block;
  dynamic_memory.resize(shared_bytes);
  const auto body = [&](unsigned thread) {
    become(thread);
    kernel(Parameters(arguments)...);
  };
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        blockIdx = dim3(x, y, z);
        if constexpr (synchronises) {
          fibers.run(threads, body);
        } else {
          for (unsigned thread = 0; thread < threads; ++thread) {
            body(thread);
          }
        }
      }
    }
  }
}

template <typename T>
uint64_t bits_of(T value) {
  static_assert(sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof(T));
  return bits;
}

// The lane's own coordinates come back with it.
template <typename T>
T shuffled(unsigned mask, T value, unsigned source) {
  const dim3 here = threadIdx;
  const Fiber& fiber = Fibers::current()->meet_warp(mask, bits_of(value));
  threadIdx = here;
  if (source >= WARP || !(fiber.met >> source & 1)) {
    return value;
  }
  T found;
  memcpy(&found, &fiber.answers[source], sizeof(T));
  return found;
}

// The lanes among those of the mask whose value passes the test, as bits; and all that came.
template <typename Test>
std::pair<unsigned, unsigned> lanes_where(unsigned mask, uint64_t value, Test test) {
  const dim3 here = threadIdx;
  const Fiber& fiber = Fibers::current()->meet_warp(mask, value);
  threadIdx = here;
  unsigned found = 0;
  for (unsigned lane = 0; lane < WARP; ++lane) {
    if (fiber.met >> lane & 1 && test(fiber.answers[lane])) {
      found |= 1u << lane;
    }
  }
  return {found, fiber.met};
}

inline std::pair<int, int> block_votes(bool vote) {
  const dim3 here = threadIdx;
  const auto found = Fibers::current()->meet_block(vote);
  threadIdx = here;
  return found;
}

inline unsigned votes(unsigned mask, bool vote) {
  return lanes_where(mask, vote, [](uint64_t one) { return one != 0; }).first;
}

}  // namespace port

inline void __syncthreads() { port::block_votes(false); }
inline int __syncthreads_count(int vote) { return port::block_votes(vote != 0).first; }
inline int __syncthreads_or(int vote) { return port::block_votes(vote != 0).first > 0; }
inline int __syncthreads_and(int vote) {
  const auto [votes, came] = port::block_votes(vote != 0);
  return votes == came;
}

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

inline void __syncwarp(unsigned mask = 0xffffffff) { port::votes(mask, false); }
inline unsigned __ballot_sync(unsigned mask, int vote) { return port::votes(mask, vote != 0); }
inline int __any_sync(unsigned mask, int vote) { return port::votes(mask, vote != 0) != 0; }
inline int __all_sync(unsigned mask, int vote) { return port::votes(mask, vote == 0) == 0; }

template <typename T>
unsigned __match_any_sync(unsigned mask, T value) {
  const uint64_t bits = port::bits_of(value);
  return port::lanes_where(mask, bits, [=](uint64_t one) { return one == bits; }).first;
}

template <typename T>
unsigned __match_all_sync(unsigned mask, T value, int* same) {
  const uint64_t bits = port::bits_of(value);
  const auto [found, came] = port::lanes_where(mask, bits, [=](uint64_t one) { return one == bits; });
  *same = found == came;
  return *same ? came : 0;
}

template <typename T>
T __shfl_sync(unsigned mask, T value, int source) {
  return port::shuffled(mask, value, source & 31);
}

template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance) {
  const unsigned lane = port::Fibers::current()->lane();
  return port::shuffled(mask, value, lane >= distance ? lane - distance : lane);
}

template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance) {
  const unsigned lane = port::Fibers::current()->lane();
  return port::shuffled(mask, value, lane + distance < 32 ? lane + distance : lane);
}

template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int distance) {
  return port::shuffled(mask, value, port::Fibers::current()->lane() ^ distance);
}

namespace port {

template <typename To, typename From>
To same_bits(From x) {
  static_assert(sizeof(To) == sizeof(From));
  To result;
  memcpy(&result, &x, sizeof result);
  return result;
}

}  // namespace port

inline int __float_as_int(float x) { return port::same_bits<int>(x); }
inline float __int_as_float(int x) { return port::same_bits<float>(x); }
inline long long __double_as_longlong(double x) { return port::same_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return port::same_bits<double>(x); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(x); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  unsigned reversed = 0;
  for (int bit = 0; bit < 32; ++bit) {
    reversed |= (x >> bit & 1) << (31 - bit);
  }
  return reversed;
}
