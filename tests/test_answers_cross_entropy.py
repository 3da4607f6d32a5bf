"""The exercises of the notebook on cross entropy: log-sum-exp, its gradient, a block's maximum, smoothing."""

import math

import torch
from answers import tried
from numba import cuda, float32

import workbench as wb


@cuda.jit
def log_sum_exp(logits, result):
    i = cuda.grid(1)
    if i < result.size:
        largest = logits[i, 0]
        for c in range(1, logits.shape[1]):
            largest = max(largest, logits[i, c])
        total = logits.dtype.type(0)
        for c in range(logits.shape[1]):
            total += math.exp(logits[i, c] - largest)
        result[i] = largest + math.log(total)


@cuda.jit
def as_written(logits, result):
    i = cuda.grid(1)
    if i < result.size:
        total = logits.dtype.type(0)
        for c in range(logits.shape[1]):
            total += math.exp(logits[i, c])
        result[i] = math.log(total)


@cuda.jit
def not_added_again(logits, result):
    i = cuda.grid(1)
    if i < result.size:
        largest = logits[i, 0]
        for c in range(1, logits.shape[1]):
            largest = max(largest, logits[i, c])
        total = logits.dtype.type(0)
        for c in range(logits.shape[1]):
            total += math.exp(logits[i, c] - largest)
        result[i] = math.log(total)


@cuda.jit
def begins_at_zero(logits, result):
    i = cuda.grid(1)
    if i < result.size:
        largest = logits.dtype.type(0)
        for c in range(logits.shape[1]):
            largest = max(largest, logits[i, c])
        total = logits.dtype.type(0)
        for c in range(logits.shape[1]):
            total += math.exp(logits[i, c] - largest)
        result[i] = largest + math.log(total)


@cuda.jit
def unguarded(logits, result):
    i = cuda.grid(1)
    total = logits.dtype.type(0)
    for c in range(logits.shape[1]):
        total += math.exp(logits[i, c])
    result[i] = math.log(total)


@cuda.jit(device=True)
def log_sum_of(z):
    largest = z[0]
    for c in range(1, z.size):
        largest = max(largest, z[c])
    total = z.dtype.type(0)
    for c in range(z.size):
        total += math.exp(z[c] - largest)
    return largest, math.log(total)


@cuda.jit
def softmax_gradient(logits, target, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.shape[0]:
        largest, log_sum = log_sum_of(logits[i])
        for c in range(gradient.shape[1]):
            p = math.exp(logits[i, c] - largest - log_sum)
            gradient[i, c] = upstream[i] * (p - gradient.dtype.type(c == target[i]))


@cuda.jit
def softmax_only(logits, target, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.shape[0]:
        largest, log_sum = log_sum_of(logits[i])
        for c in range(gradient.shape[1]):
            gradient[i, c] = math.exp(logits[i, c] - largest - log_sum)


@cuda.jit
def softmax_upstream(logits, target, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.shape[0]:
        largest, log_sum = log_sum_of(logits[i])
        for c in range(gradient.shape[1]):
            gradient[i, c] = upstream[i] * math.exp(logits[i, c] - largest - log_sum)


@cuda.jit
def without_upstream(logits, target, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.shape[0]:
        largest, log_sum = log_sum_of(logits[i])
        for c in range(gradient.shape[1]):
            gradient[i, c] = math.exp(logits[i, c] - largest - log_sum)
        gradient[i, target[i]] -= 1


@cuda.jit
def downhill(logits, target, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.shape[0]:
        largest, log_sum = log_sum_of(logits[i])
        for c in range(gradient.shape[1]):
            p = math.exp(logits[i, c] - largest - log_sum)
            gradient[i, c] = upstream[i] * (gradient.dtype.type(c == target[i]) - p)


@cuda.jit
def row_max(logits, result):
    shared = cuda.shared.array(2, float32)
    i, thread = cuda.blockIdx.x, cuda.threadIdx.x
    largest = logits.dtype.type(-math.inf)
    for c in range(thread, logits.shape[1], 64):
        largest = max(largest, logits[i, c])
    for bit in (16, 8, 4, 2, 1):
        largest = max(largest, cuda.shfl_xor_sync(0xFFFFFFFF, largest, bit))
    if thread % 32 == 0:
        shared[thread // 32] = largest
    cuda.syncthreads()
    if thread == 0:
        result[i] = max(shared[0], shared[1])


@cuda.jit
def row_max_in_shared_memory(logits, result):
    shared = cuda.shared.array(64, float32)
    i, thread = cuda.blockIdx.x, cuda.threadIdx.x
    shared[thread] = -math.inf
    for c in range(thread, logits.shape[1], 64):
        shared[thread] = max(shared[thread], logits[i, c])
    cuda.syncthreads()
    stride = 32
    while stride > 0:
        if thread < stride:
            shared[thread] = max(shared[thread], shared[thread + stride])
        cuda.syncthreads()
        stride //= 2
    if thread == 0:
        result[i] = shared[0]


@cuda.jit
def one_thread_does_all(logits, result):
    i, thread = cuda.blockIdx.x, cuda.threadIdx.x
    if thread == 0:
        largest = logits[i, 0]
        for c in range(1, logits.shape[1]):
            largest = max(largest, logits[i, c])
        result[i] = largest


@cuda.jit
def every_thread_does_all(logits, result):
    i, thread = cuda.blockIdx.x, cuda.threadIdx.x
    largest = logits[i, 0]
    for c in range(1, logits.shape[1]):
        largest = max(largest, logits[i, c])
    if thread == 0:
        result[i] = largest


@cuda.jit
def first_warp_only(logits, result):
    i, thread = cuda.blockIdx.x, cuda.threadIdx.x
    largest = logits.dtype.type(-math.inf)
    for c in range(thread, logits.shape[1], 64):
        largest = max(largest, logits[i, c])
    for bit in (16, 8, 4, 2, 1):
        largest = max(largest, cuda.shfl_xor_sync(0xFFFFFFFF, largest, bit))
    if thread == 0:
        result[i] = largest


@cuda.jit
def barrier_forgotten(logits, result):
    shared = cuda.shared.array(64, float32)
    i, thread = cuda.blockIdx.x, cuda.threadIdx.x
    shared[thread] = -math.inf
    for c in range(thread, logits.shape[1], 64):
        shared[thread] = max(shared[thread], logits[i, c])
    if thread == 0:
        largest = shared[0]
        for k in range(1, 64):
            largest = max(largest, shared[k])
        result[i] = largest


@cuda.jit
def from_zero(logits, result):
    shared = cuda.shared.array(64, float32)
    i, thread = cuda.blockIdx.x, cuda.threadIdx.x
    shared[thread] = 0
    for c in range(thread, logits.shape[1], 64):
        shared[thread] = max(shared[thread], logits[i, c])
    cuda.syncthreads()
    if thread == 0:
        largest = shared[0]
        for k in range(1, 64):
            largest = max(largest, shared[k])
        result[i] = largest


@cuda.jit
def smoothed(logits, target, epsilon, loss):
    i = cuda.grid(1)
    if i < loss.size:
        largest, log_sum = log_sum_of(logits[i])
        classes = logits.shape[1]
        total = (1 - epsilon) * (log_sum - (logits[i, target[i]] - largest))
        for c in range(classes):
            total += epsilon / classes * (log_sum - (logits[i, c] - largest))
        loss[i] = total


@cuda.jit
def unsmoothed(logits, target, epsilon, loss):
    i = cuda.grid(1)
    if i < loss.size:
        largest, log_sum = log_sum_of(logits[i])
        loss[i] = log_sum - (logits[i, target[i]] - largest)


@cuda.jit
def to_the_others(logits, target, epsilon, loss):
    i = cuda.grid(1)
    if i < loss.size:
        largest, log_sum = log_sum_of(logits[i])
        classes = logits.shape[1]
        total = (1 - epsilon) * (log_sum - (logits[i, target[i]] - largest))
        for c in range(classes):
            if c != target[i]:
                total += epsilon / (classes - 1) * (log_sum - (logits[i, c] - largest))
        loss[i] = total


@cuda.jit
def smoothed_gradient(logits, target, epsilon, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.shape[0]:
        largest, log_sum = log_sum_of(logits[i])
        classes = gradient.shape[1]
        for c in range(classes):
            p = math.exp(logits[i, c] - largest - log_sum)
            gradient[i, c] = upstream[i] * (p - (1 - epsilon) * (c == target[i]) - epsilon / classes)


@cuda.jit
def unsmoothed_gradient(logits, target, epsilon, upstream, gradient):
    i = cuda.grid(1)
    if i < gradient.shape[0]:
        largest, log_sum = log_sum_of(logits[i])
        for c in range(gradient.shape[1]):
            p = math.exp(logits[i, c] - largest - log_sum)
            gradient[i, c] = upstream[i] * (p - (c == target[i]))


def smoothing(kernel, gradient_kernel):
    def launched(kernel, *arguments, output):
        wb.launch(kernel[wb.blocks(len(output), 128), 128], *arguments, output)
        return output

    class Smoothed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, logits, target, epsilon):
            ctx.save_for_backward(logits, target)
            ctx.epsilon = epsilon
            return launched(kernel, logits, target, epsilon, output=logits.new_empty(len(logits)))

        @staticmethod
        @wb.once_differentiable
        def backward(ctx, upstream):
            logits, target = ctx.saved_tensors
            output = torch.empty_like(logits)
            launched(gradient_kernel, logits, target, ctx.epsilon, upstream, output=output)
            return output, None, None

    return Smoothed


RIGHT = {
    "log-sum-exp": log_sum_exp,
    "softmax gradient": softmax_gradient,
    "row max": row_max,
    "label smoothing": smoothing(smoothed, smoothed_gradient),
}
WRONG = {
    "log-sum-exp": [
        (as_written, "An exponential overflows or vanishes"),
        (not_added_again, "not added again at the end"),
        (begins_at_zero, "begin with the row's first logit"),
        (unguarded, "out of bounds"),
    ],
    "softmax gradient": [
        (softmax_only, "its second term has a gradient too"),
        (softmax_upstream, "-z[target] has the derivative -1"),
        (without_upstream, "multiply by upstream[i]"),
        (downhill, "The sign is turned"),
    ],
    "row max": [
        (one_thread_does_all, "thread 0 reads 1,000"),
        (every_thread_does_all, "the row is not shared out"),
        (first_warp_only, "Only the first warp has a say"),
        (barrier_forgotten, "race"),
        (from_zero, "begin with -math.inf"),
    ],
    "label smoothing": [
        (smoothing(unsmoothed, smoothed_gradient), "the loss without smoothing"),
        (smoothing(to_the_others, smoothed_gradient), "The formula spreads it over all of them"),
        (smoothing(smoothed, unsmoothed_gradient), "gradient by logits, float64 and float32, against torch"),
    ],
}

test_right_answer, test_wrong_answer = tried(RIGHT, WRONG)


def test_a_row_may_be_shared_out_in_shared_memory():
    assert wb.exercise("row max").check(row_max_in_shared_memory).passed
