"""From a kernel to CUDA C++, and from a loss to a PyTorch extension."""
