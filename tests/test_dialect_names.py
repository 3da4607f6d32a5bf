"""Other names for numba.cuda and for what is in it, which the simulator does not know."""

import numba.cuda as cu
import numpy as np
from numba.cuda import blockDim, shared, syncthreads
from numba.cuda import threadIdx as t

import workbench as wb


@cu.jit
def aliased(out):
    s = shared.array(4, cu.float32)
    s[t.x] = t.x
    syncthreads()
    i = t.x + cu.blockIdx.x * blockDim.x
    out[i] = s[3 - t.x]
    cu.atomic.add(out, i, 10)


def test_aliases_of_modules_and_names():
    out = np.zeros(8)
    wb.launch(aliased[2, 4], out)
    assert out.tolist() == [13, 12, 11, 10] * 2
