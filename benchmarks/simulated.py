"""Time the kernels in Numba's simulator, each at its small size; prints name: [elements, seconds] as JSON.

Run with NUMBA_ENABLE_CUDASIM=1. A kernel that the simulator cannot run has the reason in the place of the seconds.
"""

import json
import time

import numba
from cases import CASES

import workbench as wb


def timed(case) -> list:
    arguments = case.arguments(case.small)
    grid, block = case.shape(arguments)
    elements = arguments[case.elements].size
    start = time.perf_counter()
    try:
        wb.launch(case.kernel[grid, block], *arguments)
    except Exception as problem:
        return [elements, str(problem).splitlines()[-1]]
    return [elements, time.perf_counter() - start]


if __name__ == "__main__":
    if not numba.config.ENABLE_CUDASIM:
        raise SystemExit("set NUMBA_ENABLE_CUDASIM=1 before Python starts")
    print(json.dumps({case.name: timed(case) for case in CASES}))
