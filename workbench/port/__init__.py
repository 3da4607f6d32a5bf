"""From a kernel to CUDA C++."""
