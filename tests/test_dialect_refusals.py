"""What a CUDA kernel cannot contain, or the CPU executor does not cover: refused with its line and a sentence."""

import re

import numpy as np
import pytest
import torch
from dialect import kernel
from numba import cuda
from numba.cuda import cg, libdevice

import workbench as wb

LISTED, TABLE, TENSOR, THING, CONSTANTS = [1, 2], {1: 2}, torch.zeros(3), object(), np.zeros(3)

foreign = cuda.declare_device("foreign", "int32(int32)")


def host(x):
    return x + 1


@cuda.jit(device=True)
def two(a, b):
    return a + b


@cuda.jit(device=True)
def made_here(a):
    made = cuda.local.array(4, np.float64)
    made[0] = a[0]
    return made


@cuda.jit(device=True)
def waits_and_recurs(n):
    cuda.syncthreads()
    if n > 0:
        waits_and_recurs(n - 1)


@cuda.jit
def other_kernel(a):
    a[0] = 1


HOST = (
    "is a function of the host; a kernel can call device functions (@cuda.jit(device=True)), the operations of cuda, "
    "math, and some of NumPy"
)
MEMORY = (
    "this makes or copies an array or a string, and a thread has no memory for that; write a loop over the elements"
)
RETURNED = (
    "this returns an array that it makes, and a thread has no memory for that; return numbers, or write into an array "
    "that is an argument"
)
LIST = "a kernel has no lists; use a tuple, or cuda.local.array"
DICT = "a kernel has no dicts and sets; pass arrays, or use a tuple"
GENERATOR = "a kernel has no generators; write a loop"
FUNCTION = "a kernel defines no functions; define it outside, with @cuda.jit(device=True)"
STOPS = "stops a program that is not compiled; run one block with wb.debug(kernel[grid, block], ...)"
STRING = "a kernel makes no strings; print takes several values: print('n', n)"
IMPORT = "import it outside the kernel"
DELETED = "nothing in a kernel can be deleted; leave the line out"
GRID = "the CPU executor has no barrier of the whole grid; split the kernel into two launches, or run it on a GPU"
ASSIGNED = "a kernel cannot assign to what is outside it"
SHAPE = "a shape is a positive integer, or a tuple of such (0 for dynamic shared memory)"
DTYPE = "the dtype is none that a kernel has; pass one such as numba.float32"
SHUFFLE = "shfl_sync takes a mask, a value and a lane or distance"
TYPES = "a shuffle exchanges int32, int64, float32, float64, and this is"
CONSTANT = "must be a compile-time constant"
OUTSIDE = "a kernel can take a tuple or a NumPy array from outside it, or arrays as arguments"
LOOP = "a loop with `else` in which threads wait is not covered"
TRY = "a kernel catches no exceptions; test for the case with if"
SEVERAL = "'v' stands for several arrays, and threads wait while it does; bind each name to one array"
VIEW = (
    "'v' is made from 'k', which changes later; the CPU executor cannot keep such a view while threads wait: index "
    "the array itself"
)
RANDOM = "`np.random.rand` draws random numbers for the whole program; a thread draws its own with numba.cuda.random"
GPU = "run this kernel on a GPU"

REFUSED = {
    "g = cg.this_grid()\n    g.sync()": GRID,
    "cg.this_grid().sync()": GRID,
    "i = cuda.grid(4)": "cuda.grid takes the constant 1, 2 or 3",
    "i = cuda.grid(n)": "cuda.grid takes the constant 1, 2 or 3",
    "i = cuda.grid()": "cuda.grid takes the constant 1, 2 or 3",
    "m[0] = m[1]": MEMORY,
    "m[0, :] = m[1, :]": MEMORY,
    "b = a + a": MEMORY,
    "b = a * 2": MEMORY,
    "a[0] = (a[:2] + a[1:3])[0]": MEMORY,
    "if a == a:\n        a[0] = 1": "an array is neither true nor false; test its elements",
    "if a:\n        a[0]=1": "an array is neither true nor false; test its elements",
    "b = [1, 2]": LIST,
    "b, *c = (1, 2, 3)": "name each item",
    "b = [k for k in range(3)]": LIST,
    "b = {1: 2}": DICT,
    "f = lambda x: x": FUNCTION,
    "if (b := n) > 1:\n        a[0] = b": "assign on a line of its own",
    "print(f'{n}')": STRING,
    "b = f'{n}'": STRING,
    "match n:\n        case 1:\n            a[0] = 1": "write it with if and elif",
    "global b": "a kernel binds no names outside it; write into an array that is an argument",
    "import os": IMPORT,
    "del a": DELETED,
    "del a[0]": DELETED,
    "try:\n        a[0] = 1\n    except ValueError:\n        pass": TRY,
    "with n:\n        pass": "a kernel enters no contexts",
    "yield 1": GENERATOR,
    "yield from a": GENERATOR,
    "print('%d' % n)": "a kernel has no mod('%d', int64)",
    "print('{}'.format(n))": "Unknown attribute 'format' of type '{}'",
    "print(n, end='')": "Numba's print() function implementation does not support keyword arguments.",
    "breakpoint()": f"`breakpoint` {STOPS}",
    "b = 'abc'[n]": MEMORY,
    "v = m[cuda.laneid]\n    for k in range(2):\n        v = m[k]\n        cuda.syncthreads()\n    v[0] = 1": SEVERAL,
    "k = cuda.laneid\n    v = m[k]\n    while n:\n        cuda.syncthreads()\n        k += n\n    v[0] = k": VIEW,
    "for k in range(2):\n        cuda.syncthreads()\n    else:\n        a[0] = 1": LOOP,
    "while n < 0:\n        cuda.syncthreads()\n    else:\n        a[0] = 1": LOOP,
    "s = cuda.shared.array(n, np.float64)": f"the shape of the array, `n`, {CONSTANT}",
    "s = cuda.local.array(n, np.float64)": f"the shape of the array, `n`, {CONSTANT}",
    "s = cuda.shared.array(4, 'what')": DTYPE,
    "a = m[0]\n    s = cuda.shared.array(4, a.dtype)": f"the dtype of the array, `a.dtype`, {CONSTANT}",
    "s = cuda.shared.array(4, host)": f"`host` {HOST}",
    "s = cuda.shared.array(-4, np.float64)": SHAPE,
    "s = cuda.shared.array(4.5, np.float64)": SHAPE,
    "s = cuda.local.array(0, np.float64)": SHAPE,
    "s = cuda.shared.array(4, object)": "`object` is a type that a kernel does not have",
    "s = cuda.shared.array('x', np.float64)": SHAPE,
    "s = cuda.shared.array()": "it takes a shape and a dtype",
    "a[0] = cuda.shfl_sync(1)": SHUFFLE,
    "a[0] = cuda.shfl_sync(mask=1, value=2, src_lane=0)": f"{SHUFFLE}, by position",
    "a[0] = cuda.shfl_sync(-1, a[0], 0, 16)": SHUFFLE,
    "b = cuda.shfl_sync(-1, a, 0)": f"{TYPES} array(float64, 1d, C): convert it",
    "b = cuda.shfl_sync(-1, a[0], 0.5)": "the lane or distance of a shuffle is an integer, and this is float64",
    "b = cuda.shfl_sync(-1, np.float16(1), 0)": f"{TYPES} float16: convert it",
    "b = cuda.ballot_sync(1)": "ballot_sync takes a mask and a predicate",
    "class C:\n        pass": "a kernel defines no classes",
    "async def f():\n        pass": FUNCTION,
    "def f():\n        pass": FUNCTION,
    "b = cuda.to_device(a)": f"`cuda.to_device` {HOST}",
    "b = np.zeros(3)": "a kernel has no zeros(3)",
    "a[0] = torch.sum(TENSOR)": f"`torch.sum` {HOST}",
    "a[0] = TENSOR[0]": "`TENSOR` is a Tensor; pass it to the kernel as an argument",
    "a[0] = host(1)": f"`host` {HOST}",
    "a[0] = LISTED[0]": f"`LISTED` is a list; {OUTSIDE}",
    "a[0] = TABLE[1]": f"`TABLE` is a dict; {OUTSIDE}",
    "b = THING": "`THING` is of the type object, which a kernel does not have; pass numbers and arrays as arguments",
    "b = cuda.syncthreads()\n    a[0] = b": "a kernel has no setitem(array(float64, 1d, C), 0, none)",
    "cuda.syncthreads(1)": "syncthreads takes nothing",
    "b = cuda.syncthreads": "this operation can only be called",
    "return 1": "a kernel returns nothing; write into an array",
    "assert n > 0, f'{n}'": STRING,
    "raise ValueError('x') from None": "raise it without from",
    "a[0] = 1j": "a kernel has no setitem(array(float64, 1d, C), 0, complex128)",
    "b = a[a]": "a kernel has no getitem(array(float64, 1d, C), array(float64, 1d, C))",
    "a[a > 0] = 1": MEMORY,
    "a.x = 1": "Cannot resolve setattr: (array(float64, 1d, C)).x = 1",
    "input()": f"`input` {HOST}",
    "type(a)": "a kernel has no type(array(float64, 1d, C))",
    "b = m @ m": RETURNED,
    "cuda.atomic.add(m, 0, 1)": "the array takes 2 indices, and the atomic operation has 1",
    "cuda.atomic.add(a, 0)": "it takes (array, index, value): missing a required argument: 'value'",
    "cuda.syncthreads_count()": "syncthreads_count takes a predicate",
    "b = cuda.const.array_like(LISTED)": f"`LISTED` is a list; {OUTSIDE}",
    "other_kernel[1, 1](a)": "a kernel launches no kernels; call a device function",
    "a[0] = bb": "the name 'bb' is not defined",
    "a[0] = np.random.rand()": RANDOM,
    "cuda.event()": f"`cuda.event` {HOST}",
    "cuda.cg.sync_grid()": "'cuda.cg.sync_grid' does not exist",
    "cuda.selp(1)": "it takes (test, a, b): missing a required argument: 'a'",
    "cuda.warpsize = 3": ASSIGNED,
    "a[0] = cuda.threadIdx.w": "'cuda.threadIdx.w' does not exist",
    "b = cuda.threadIdx": f"the CPU executor does not cover cuda.threadIdx; {GPU}",
    "cuda.threadIdx.x = 3": ASSIGNED,
    "b = cuda.blockDim": f"the CPU executor does not cover cuda.blockDim; {GPU}",
    "math.pi = 3": ASSIGNED,
    "CONSTANTS[0] = 1": "an array from outside a kernel is a constant there; pass it as an argument to write into it",
    "a[0] = math.missing": "'math.missing' does not exist",
    "a[0] = cuda.missing()": "'cuda.missing' does not exist",
    "a[0] = math": "the module 'math' is not a value",
    "a[0] = libdevice.j0(1.0)": f"the CPU executor does not cover cuda.libdevice.j0; {GPU}",
    "a[0] = cuda.fp16.atomicAdd(a, 1)": f"the CPU executor does not cover cuda.fp16.atomicAdd; {GPU}",
    "a.append(1)": "Unknown attribute 'append' of type array(float64, 1d, C)",
    "a[0] = 'text'": "a kernel has no setitem(array(float64, 1d, C), 0, 'text')",
    "a[0] = math.gamma(a, 1)": "a kernel has no gamma(array(float64, 1d, C), 1)",
    "a[0] = np.linalg.norm(a)": "a kernel has no norm(array(float64, 1d, C))",
    "open('file')": f"`open` {HOST}",
    "a[0] = foreign(1)": f"`foreign` comes from cuda.declare_device, code that only a GPU has; {GPU}",
    "b = {1, 2}": DICT,
    "b = {k: 1 for k in range(3)}": DICT,
    "b = sum(k for k in range(3))": GENERATOR,
    "two(*(1, 2))": "name each item",
    "two(**TABLE)": "name each argument",
    "two(1)": "it takes (a, b): missing a required argument: 'b'",
    "b = made_here(a)\n    a[0] = b[0]": RETURNED,
}
"""The second line of a kernel, and what the refusal says of it."""


@pytest.mark.parametrize("code", REFUSED, ids=lambda code: code.split("\n")[0])
def test_a_statement_is_refused_with_its_line(code):
    names = {"cg": cg, "libdevice": libdevice, "torch": torch, "host": host, "two": two, "foreign": foreign}
    names |= {"LISTED": LISTED, "TABLE": TABLE, "TENSOR": TENSOR, "THING": THING, "CONSTANTS": CONSTANTS}
    names |= {"made_here": made_here, "other_kernel": other_kernel}
    bad = kernel(f"def refused(a, m, n):\n    {code}\n", **names)
    with pytest.raises(wb.CompileError) as refusal:
        wb.launch(bad[1, 4], np.ones(4), np.ones((4, 4)), 3)
    line, quoted, why = re.fullmatch(
        r"refused(?: does not compile)?: line (\d)[:,] (?:`(.*?)`: )?(.*)", str(refusal.value), re.DOTALL
    ).groups()
    assert why == REFUSED[code]
    assert code.splitlines()[int(line) - 2].find((quoted or "").strip("()")) >= 0


def test_variable_arguments():
    bad = kernel("def refused(*arrays):\n    arrays[0][0] = 1\n")
    with pytest.raises(wb.CompileError, match=r"line 1: \*args and keyword-only parameters are not covered"):
        wb.launch(bad[1, 4], np.zeros(4))


def test_keyword_only_arguments():
    bad = kernel("def refused(a, *, b=1):\n    a[0] = b\n")
    with pytest.raises(wb.CompileError, match=r"line 1: \*args and keyword-only parameters are not covered"):
        wb.launch(bad[1, 4], np.zeros(4))


def test_a_lambda():
    with pytest.raises(wb.CompileError, match=r"a lambda has no source|cannot be read"):
        wb.launch(cuda.jit(lambda a: None)[1, 4], np.zeros(4))


def test_a_device_function_that_waits_and_calls_itself():
    with pytest.raises(wb.CompileError) as refusal:
        wb.launch(kernel("def refused(n):\n    waits(n)\n", waits=waits_and_recurs)[1, 4], 3)
    line = waits_and_recurs.py_func.__code__.co_firstlineno + 2
    sentence = "a device function that calls itself cannot make threads wait"
    assert str(refusal.value) == f"waits_and_recurs: line {line}: {sentence}"


def test_more_shared_memory_than_a_block_has():
    """The largest array that fits runs; one more element does not."""
    text = "def large(a):\n    s = cuda.shared.array({}, np.float64)\n    s[0] = 5\n    a[0] = s[0]\n"
    a = np.zeros(1)
    wb.launch(kernel(text.format(6144))[1, 1], a)
    assert a[0] == 5
    with pytest.raises(wb.CompileError, match="its shared arrays have 49,160 bytes, and CUDA gives a block 49,152"):
        wb.launch(kernel(text.format(6145))[1, 1], a)


def test_an_element_type_that_kernels_do_not_have():
    text = "def refused(a):\n    a[0] = a[1]\n"
    with pytest.raises((wb.LaunchError, ValueError)):
        wb.launch(kernel(text)[1, 4], np.zeros(4, object))
