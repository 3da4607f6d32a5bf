// What every operator does: check its call, choose float or double, view the tensors, launch the kernel.
#pragma once

#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <vector>

#include "port.cuh"

#ifdef __CUDACC__
// It is in the CUDA libraries of torch alone; weak, so that this library loads without them.
extern "C" __attribute__((weak)) AOTITorchError aoti_torch_get_current_cuda_stream(int32_t device, void** stream);
#endif

namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using Sizes = std::vector<int64_t>;

// A tensor that was passed for a parameter; its type is Undefined where the kernel takes float32 and float64.
struct Argument {
  const char* name;
  const Tensor& tensor;
  int64_t dimensions;
  ScalarType type = ScalarType::Undefined;
};

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

// A call of a kernel, whose tensors fit it.
class Call {
 public:
  Call(const char* kernel, std::vector<Argument> arguments) : kernel_(kernel), arguments_(std::move(arguments)) {
    const Argument& first = arguments_.front();
    for (const auto& [name, tensor, dimensions, type] : arguments_) {
      STD_TORCH_CHECK(tensor.dim() == dimensions, kernel_, ": ", name, " has ", tensor.dim(),
                      " dimensions, and the kernel takes ", dimensions);
      STD_TORCH_CHECK(tensor.device() == first.tensor.device(), kernel_, ": ", name, " is on another device than ", first.name);
      STD_TORCH_CHECK(type == ScalarType::Undefined || tensor.scalar_type() == type, kernel_, ": ", name, " is ",
                      text(tensor.scalar_type()), ", and the kernel takes ", text(type));
    }
  }

  // Calls function(float{}) or function(double{}), as the tensors hold the one or the other.
  template <typename Function>
  void for_scalar_type(Function function) const {
    const Argument* first = nullptr;
    for (const Argument& argument : arguments_) {
      if (argument.type != ScalarType::Undefined) {
        continue;
      }
      first = first == nullptr ? &argument : first;
      STD_TORCH_CHECK(argument.tensor.scalar_type() == first->tensor.scalar_type(), kernel_, ": ", argument.name, " is ",
                      text(argument.tensor.scalar_type()), ", and ", first->name, " is ", text(first->tensor.scalar_type()),
                      "; the kernel takes one type");
    }
    if (first->tensor.scalar_type() == ScalarType::Float) {
      function(float{});
    } else if (first->tensor.scalar_type() == ScalarType::Double) {
      function(double{});
    } else {
      STD_TORCH_CHECK(false, kernel_, ": ", first->name, " is ", text(first->tensor.scalar_type()),
                      ", and the kernel takes Float and Double");
    }
  }

  // Launches the kernel where the tensors are, on torch's current stream there.
  template <bool synchronises, typename... Parameters, typename... Given>
  void launch(void (*kernel)(Parameters...), const Sizes& grid, const Sizes& block, int64_t shared_bytes, Given... given) const {
    const dim3 blocks = dimensions("grid", grid, {2147483647, 65535, 65535});
    const dim3 threads = dimensions("block", block, {1024, 1024, 64});
    const unsigned count = threads.x * threads.y * threads.z;
    STD_TORCH_CHECK(count <= 1024, kernel_, ": a block of ", count, " threads; CUDA allows 1024");
    STD_TORCH_CHECK(shared_bytes >= 0, kernel_, ": ", shared_bytes, " bytes of shared memory");
#ifdef __CUDACC__
    const int32_t device = arguments_.front().tensor.get_device_index();
    const torch::stable::accelerator::DeviceGuard guard(device);
    void* stream = nullptr;
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(device, &stream));
    if (shared_bytes > 48 * 1024) {  // more than a GPU gives without being asked
      check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
    }
    port::launch<synchronises>(kernel, blocks, threads, shared_bytes, static_cast<cudaStream_t>(stream), given...);
    check(cudaGetLastError());
#else
    port::launch<synchronises>(kernel, blocks, threads, shared_bytes, nullptr, given...);
#endif
  }

 private:
  static const char* text(ScalarType type) { return torch::headeronly::toString(type); }

  // One to three sizes as CUDA has them; most are the largest that it allows.
  dim3 dimensions(const char* what, const Sizes& sizes, const int64_t (&most)[3]) const {
    STD_TORCH_CHECK(1 <= sizes.size() && sizes.size() <= 3, kernel_, ": the ", what, " has ", sizes.size(),
                    " dimensions, not 1 to 3");
    unsigned found[3] = {1, 1, 1};
    for (size_t axis = 0; axis < sizes.size(); ++axis) {
      STD_TORCH_CHECK(1 <= sizes[axis] && sizes[axis] <= most[axis], kernel_, ": the ", what, " has ", sizes[axis], " along ",
                      "xyz"[axis], "; CUDA allows 1 to ", most[axis]);
      found[axis] = static_cast<unsigned>(sizes[axis]);
    }
    return dim3(found[0], found[1], found[2]);
  }

#ifdef __CUDACC__
  void check(cudaError_t error) const { STD_TORCH_CHECK(error == cudaSuccess, kernel_, ": ", cudaGetErrorString(error)); }
#endif

  const char* kernel_;
  std::vector<Argument> arguments_;
};

}  // namespace
