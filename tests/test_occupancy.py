"""Occupancy as NVIDIA's own calculator has it, where its header and a C++ compiler are, and published examples."""

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from workbench.inspection.occupancy import MULTIPROCESSORS, occupancy

BLOCKS = (1, 32, 33, 64, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1000, 1024)
REGISTERS = (1, 16, 24, 32, 33, 40, 41, 48, 56, 64, 65, 72, 80, 96, 97, 128, 129, 168, 200, 255)
SHARED = (0, 1, 100, 1024, 5000, 8192, 16384, 24000, 32768, 48000, 49152)

PROGRAM = """
#include <climits>
#include <cstdio>
#include <cstring>
#include <cuda_occupancy.h>
int main() {
    int major, minor, threads, block, registers;
    long shared, of_multiprocessor, of_block;
    while (std::scanf("%d %d %d %ld %ld %d %d %ld", &major, &minor, &threads, &of_multiprocessor, &of_block, &block,
                      &registers, &shared) == 8) {
        cudaOccDeviceProp device;
        device.computeMajor = major, device.computeMinor = minor;
        device.maxThreadsPerBlock = 1024, device.maxThreadsPerMultiprocessor = threads;
        device.regsPerBlock = 65536, device.regsPerMultiprocessor = 65536, device.warpSize = 32, device.numSms = 100;
        device.sharedMemPerBlock = 49152, device.sharedMemPerMultiprocessor = of_multiprocessor;
        device.sharedMemPerBlockOptin = of_block, device.reservedSharedMemPerBlock = major >= 8 ? 1024 : 0;
        cudaOccFuncAttributes kernel;
        kernel.maxThreadsPerBlock = 1024, kernel.numRegs = registers, kernel.sharedSizeBytes = shared;
        kernel.partitionedGCConfig = PARTITIONED_GC_OFF, kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
        kernel.maxDynamicSharedSizeBytes = of_block - shared;
        cudaOccDeviceState state;
        state.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
        cudaOccResult result;
        auto status = cudaOccMaxActiveBlocksPerMultiprocessor(&result, &device, &kernel, &state, block, 0);
        std::printf("%d\\n", status == CUDA_OCC_SUCCESS ? result.activeBlocksPerMultiprocessor : -int(status));
    }
}
"""


def header() -> Path | None:
    """The folder of NVIDIA's occupancy calculator."""
    from cuda.pathfinder import find_nvidia_header_directory

    folder = find_nvidia_header_directory("cudart")
    return Path(folder) if folder and (Path(folder) / "cuda_occupancy.h").is_file() else None


def test_as_the_calculator_of_nvidia(tmp_path):
    folder, compiler = header(), shutil.which("g++")
    if folder is None:
        pytest.skip("NVIDIA's cuda_occupancy.h is not installed")
    if compiler is None:
        pytest.skip("there is no g++ to compile cuda_occupancy.h with")
    source, program = tmp_path / "calculator.cpp", tmp_path / "calculator"
    source.write_text(PROGRAM)
    subprocess.run([compiler, "-w", f"-I{folder}", str(source), "-o", str(program)], check=True)
    questions, ours = [], []
    for capability, limit in MULTIPROCESSORS.items():
        for block, registers, shared in itertools.product(BLOCKS, REGISTERS, SHARED):
            numbers = (*capability, limit.threads, limit.shared, limit.shared_of_block, block, registers, shared)
            questions.append(" ".join(map(str, numbers)))
            ours.append(occupancy(capability, block, registers, shared).blocks)
    answers = subprocess.run([program], input="\n".join(questions), capture_output=True, text=True, check=True).stdout
    theirs = [int(line) for line in answers.split()]
    assert len(theirs) == len(ours) > 30_000
    wrong = [(q, a, b) for q, a, b in zip(questions, ours, theirs, strict=True) if a != b]
    assert not wrong, (len(wrong), wrong[:5])


@pytest.mark.parametrize(
    ("capability", "block", "registers", "shared", "warps", "limits"),
    [
        # a full multiprocessor: 2,048 threads with 32 registers each, and 1,024 on 7.5 with 64
        ((9, 0), 256, 32, 0, 64, ("warps", "registers")),
        ((7, 5), 256, 64, 0, 32, ("warps", "registers")),
        # 65,536 / 33 registers, handed out by 256 a warp: 40 a thread, 51 warps, of which 48 in blocks of 8
        ((9, 0), 256, 33, 0, 48, ("registers",)),
        # 32 blocks of one warp fill half of the 64
        ((9, 0), 32, 16, 0, 32, ("blocks",)),
        # 48 KiB and the system's 1 KiB in 228 KiB: four blocks
        ((9, 0), 128, 32, 48 * 1024, 16, ("shared memory",)),
        ((12, 0), 256, 40, 0, 48, ("warps", "registers")),
        # nothing runs: 1,024 threads with 255 registers each
        ((9, 0), 1024, 255, 0, 0, ("registers",)),
    ],
)
def test_examples_worked_by_hand(capability, block, registers, shared, warps, limits):
    found = occupancy(capability, block, registers, shared)
    assert (found.warps, found.limits) == (warps, limits)
    assert found.fraction == warps / found.most_warps


def test_an_unknown_capability_is_refused():
    with pytest.raises(ValueError, match=r"6\.1 is not one of 7\.5, 8\.0"):
        occupancy((6, 1), 128, 32, 0)
