// Views of strided arrays of any number of dimensions.
#pragma once

#include <stdint.h>

#include <type_traits>

namespace port {

// A view of an array's memory; sizes and strides count elements. Indices are not checked, and must not be negative.
template <typename T, int N>
struct Array {
  T* data;
  int64_t sizes[N];
  int64_t strides[N];

  Array() = default;

  __host__ __device__ Array(T* data, const int64_t (&sizes)[N], const int64_t (&strides)[N]) : data(data) {
    for (int d = 0; d < N; ++d) {
      this->sizes[d] = sizes[d];
      this->strides[d] = strides[d];
    }
  }

  // A contiguous array.
  __host__ __device__ Array(T* data, const int64_t (&sizes)[N]) : data(data) {
    int64_t stride = 1;
    for (int d = N - 1; d >= 0; --d) {
      this->sizes[d] = sizes[d];
      strides[d] = stride;
      stride *= sizes[d];
    }
  }

  // A C array, as shared and local ones are.
  template <int A, int M = N, typename = std::enable_if_t<M == 1>>
  __device__ Array(T (&array)[A]) : Array(array, {A}) {}

  template <int A, int B, int M = N, typename = std::enable_if_t<M == 2>>
  __device__ Array(T (&array)[A][B]) : Array(&array[0][0], {A, B}) {}

  template <int A, int B, int C, int M = N, typename = std::enable_if_t<M == 3>>
  __device__ Array(T (&array)[A][B][C]) : Array(&array[0][0][0], {A, B, C}) {}

  // A view that may write serves where one that only reads is asked for.
  template <typename U = T, typename = std::enable_if_t<!std::is_const_v<U>>>
  __host__ __device__ operator Array<const U, N>() const {
    return {data, sizes, strides};
  }

  __host__ __device__ int64_t shape(int axis) const { return sizes[axis]; }

  __host__ __device__ int64_t size() const {
    int64_t count = 1;
    for (int d = 0; d < N; ++d) {
      count *= sizes[d];
    }
    return count;
  }

  // An element of a one-dimensional array; of any other, the part that the first index leads to.
  __device__ decltype(auto) operator[](int64_t i) const {
    if constexpr (N == 1) {
      return (data[i * strides[0]]);
    } else {
      Array<T, N - 1> part;
      part.data = data + i * strides[0];
      for (int d = 1; d < N; ++d) {
        part.sizes[d - 1] = sizes[d];
        part.strides[d - 1] = strides[d];
      }
      return part;
    }
  }

  // The part where the index along an axis is i.
  __device__ Array<T, N - 1> select(int axis, int64_t i) const {
    Array<T, N - 1> part;
    part.data = data + i * strides[axis];
    for (int d = 0; d < N - 1; ++d) {
      part.sizes[d] = sizes[d + (d >= axis)];
      part.strides[d] = strides[d + (d >= axis)];
    }
    return part;
  }

  // The part from start up to stop along an axis. As in Python, bounds below 0 count from the end, and bounds outside
  // the array are moved to it.
  __device__ Array slice(int axis, int64_t start, int64_t stop = INT64_MAX, int64_t step = 1) const {
    start = bound(axis, start);
    const int64_t length = bound(axis, stop) - start;
    Array part = *this;
    part.data += start * strides[axis];
    part.sizes[axis] = length > 0 ? (length - 1) / step + 1 : 0;
    part.strides[axis] *= step;
    return part;
  }

  // An element, by one index for each dimension.
  template <typename... Indices>
  __device__ T& operator()(Indices... indices) const {
    static_assert(sizeof...(Indices) == N, "one index for each dimension");
    int64_t offset = 0;
    int d = 0;
    ((offset += static_cast<int64_t>(indices) * strides[d++]), ...);
    return data[offset];
  }

 private:
  // A bound of a slice as a place between 0 and the size.
  __device__ int64_t bound(int axis, int64_t place) const {
    place += place < 0 ? sizes[axis] : 0;
    return place < 0 ? 0 : place > sizes[axis] ? sizes[axis] : place;
  }
};

}  // namespace port
