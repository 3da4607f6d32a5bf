"""Builds the operators with nvcc, or for the CPU where torch or the machine has no CUDA, or where VARIABLE_CPU is set."""

import os

import torch
from setuptools import setup
from torch.utils.cpp_extension import CUDA_HOME, BuildExtension, CppExtension, CUDAExtension

FOR_CPU = bool(os.environ.get("VARIABLE_CPU")) or CUDA_HOME is None or torch.version.cuda is None
TORCH_2_10 = "-DTORCH_TARGET_VERSION=0x020a000000000000"  # any torch from here on can load what is built
FLAGS = ["-O3", "-std=c++20", TORCH_2_10]

if FOR_CPU:
    kind, source = CppExtension, "csrc/ops_cpu.cpp"
    flags = {"cxx": [*FLAGS, "-ffp-contract=off", "-Wno-unknown-pragmas"]}
else:
    kind, source = CUDAExtension, "csrc/ops.cu"
    flags = {"cxx": FLAGS, "nvcc": [*FLAGS, "-lineinfo", "--expt-relaxed-constexpr"]}

setup(
    ext_modules=[
        kind("PACKAGE._C", [source], include_dirs=[os.path.abspath("csrc")], extra_compile_args=flags, py_limited_api=True)
    ],
    cmdclass={"build_ext": BuildExtension.with_options(use_ninja=False)},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
