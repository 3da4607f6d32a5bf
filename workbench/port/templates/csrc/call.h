// What an operator does with a call before its kernel runs: check it, choose the type, view the tensors.
#pragma once

#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "port.cuh"

#ifdef __CUDACC__
// It is in the CUDA libraries of torch alone; weak, so that this library loads without them.
extern "C" __attribute__((weak)) AOTITorchError aoti_torch_get_current_cuda_stream(int32_t device, void** stream);
#endif

namespace call {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using Sizes = std::vector<int64_t>;

// A tensor that was passed for a parameter. The type is checked where it is one of C++'s own, and not scalar_t.
struct Argument {
  const char* name;
  const Tensor& tensor;
  int64_t dimensions;
  ScalarType type = ScalarType::Undefined;
};

inline void check(const char* kernel, std::initializer_list<Argument> arguments) {
  const Tensor& first = arguments.begin()->tensor;
  for (const auto& [name, tensor, dimensions, type] : arguments) {
    STD_TORCH_CHECK(tensor.dim() == dimensions, kernel, ": ", name, " has ", tensor.dim(), " dimensions, and the kernel takes ",
                    dimensions);
    STD_TORCH_CHECK(type == ScalarType::Undefined || tensor.scalar_type() == type, kernel, ": ", name, " is ",
                    torch::headeronly::toString(tensor.scalar_type()), ", and the kernel takes ", torch::headeronly::toString(type));
    STD_TORCH_CHECK(tensor.device() == first.device(), kernel, ": ", name, " is on another device than ",
                    arguments.begin()->name);
  }
}

// Calls function(float{}) or function(double{}), whichever all these tensors hold.
template <typename Function>
void for_type_of(const char* kernel, std::initializer_list<Argument> arguments, Function function) {
  const ScalarType type = arguments.begin()->tensor.scalar_type();
  for (const Argument& argument : arguments) {
    STD_TORCH_CHECK(argument.tensor.scalar_type() == type, kernel, ": ", argument.name, " is ",
                    torch::headeronly::toString(argument.tensor.scalar_type()), ", and ", arguments.begin()->name, " is ",
                    torch::headeronly::toString(type), "; the kernel takes one type");
  }
  if (type == ScalarType::Float) {
    function(float{});
  } else if (type == ScalarType::Double) {
    function(double{});
  } else {
    STD_TORCH_CHECK(false, kernel, ": ", arguments.begin()->name, " is ", torch::headeronly::toString(type),
                    "; the kernel takes float32 and float64");
  }
}

template <typename T, int N>
port::Array<T, N> viewed(T* data, const Tensor& tensor) {
  port::Array<T, N> view;
  view.data = data;
  for (int d = 0; d < N; ++d) {
    view.sizes[d] = tensor.size(d);
    view.strides[d] = tensor.stride(d);
  }
  return view;
}

template <typename T, int N>
port::Array<const T, N> read(const Tensor& tensor) {
  return viewed<const T, N>(static_cast<const T*>(tensor.const_data_ptr()), tensor);
}

template <typename T, int N>
port::Array<T, N> written(const Tensor& tensor) {
  return viewed<T, N>(static_cast<T*>(tensor.mutable_data_ptr()), tensor);
}

// One to three sizes as CUDA has them; most are the largest that it allows.
inline dim3 dimensions(const char* kernel, const char* what, const Sizes& sizes, const int64_t (&most)[3]) {
  STD_TORCH_CHECK(1 <= sizes.size() && sizes.size() <= 3, kernel, ": the ", what, " has ", sizes.size(), " dimensions, not 1 to 3");
  unsigned found[3] = {1, 1, 1};
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    STD_TORCH_CHECK(1 <= sizes[axis] && sizes[axis] <= most[axis], kernel, ": the ", what, " has ", sizes[axis], " along ",
                    "xyz"[axis], "; CUDA allows 1 to ", most[axis]);
    found[axis] = static_cast<unsigned>(sizes[axis]);
  }
  return dim3(found[0], found[1], found[2]);
}

// Launches the kernel where the first tensor is, on torch's current stream there.
template <bool synchronises, typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const Tensor& first, const Sizes& grid, const Sizes& block,
            int64_t shared_bytes, Arguments... arguments) {
  const dim3 blocks = dimensions(name, "grid", grid, {2147483647, 65535, 65535});
  const dim3 threads = dimensions(name, "block", block, {1024, 1024, 64});
  STD_TORCH_CHECK(threads.x * threads.y * threads.z <= 1024, name, ": a block of ", threads.x * threads.y * threads.z,
                  " threads; CUDA allows 1024");
  STD_TORCH_CHECK(shared_bytes >= 0, name, ": ", shared_bytes, " bytes of shared memory");
#ifdef __CUDACC__
  const torch::stable::accelerator::DeviceGuard guard(first.get_device_index());
  void* stream = nullptr;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(first.get_device_index(), &stream));
  if (shared_bytes > 48 * 1024) {  // more than every GPU gives without being asked
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
  }
  port::launch<synchronises>(kernel, blocks, threads, shared_bytes, static_cast<cudaStream_t>(stream), arguments...);
  const cudaError_t error = cudaGetLastError();
  STD_TORCH_CHECK(error == cudaSuccess, name, ": ", cudaGetErrorString(error));
#else
  port::launch<synchronises>(kernel, blocks, threads, shared_bytes, nullptr, arguments...);
#endif
}

}  // namespace call
