// The same operators for the CPU: a C++ compiler takes the kernels as they are, with the help of cpu.h.
#include "ops.cu"
