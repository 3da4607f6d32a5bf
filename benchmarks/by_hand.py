"""The same by hand: what a person would write with ``numba.njit`` for one CPU thread instead of a kernel.

Each function adds up in the order in which it is written, as a kernel's thread does. ``in_any_order`` compiles it so
that sums may be taken in any order, which vectorises them.
"""

import math

import numpy as np
from numba import njit

compiled = njit(fastmath={"contract"}, error_model="numpy")

in_any_order = njit(fastmath={"contract", "reassoc"}, error_model="numpy")


@compiled
def square(x, y):
    for i in range(x.size):
        y[i] = x[i] * x[i]


@compiled
def binary_cross_entropy(logits, target, loss):
    for i in range(logits.size):
        z = logits[i]
        loss[i] = max(z, np.float32(0)) - z * target[i] + math.log1p(math.exp(-abs(z)))


@compiled
def huber(x, y, loss):
    for i in range(x.size):
        d = abs(x[i] - y[i])
        loss[i] = np.float32(0.5) * d * d if d < np.float32(1) else d - np.float32(0.5)


@compiled
def tree_sum(x, total):
    sum_ = np.float32(0)
    for i in range(x.size):
        sum_ += x[i]
    total[0] += sum_


@compiled
def squared_error(x, y, total):
    sum_ = np.float32(0)
    for i in range(x.size):
        d = x[i] - y[i]
        sum_ += d * d
    total[0] += sum_


warp_sum = tree_sum


@compiled
def softmax_cross_entropy(logits, target, loss, logsumexp):
    for r in range(logits.shape[0]):
        largest = np.float32(-3e38)
        for c in range(logits.shape[1]):
            largest = max(largest, logits[r, c])
        sum_ = np.float32(0)
        for c in range(logits.shape[1]):
            sum_ += math.exp(logits[r, c] - largest)
        logsumexp[r] = largest + math.log(sum_)
        loss[r] = logsumexp[r] - logits[r, target[r]]


@compiled
def rms_norm(x, weight, y):
    for r in range(x.shape[0]):
        squares = np.float32(0)
        for c in range(x.shape[1]):
            squares += x[r, c] * x[r, c]
        scale = np.float32(1) / math.sqrt(squares / np.float32(x.shape[1]) + np.float32(1e-6))
        for c in range(x.shape[1]):
            y[r, c] = x[r, c] * scale * weight[c]


@compiled
def pairwise_distance(a, b, distance):
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            squares = np.float32(0)
            for k in range(a.shape[1]):
                d = a[i, k] - b[j, k]
                squares += d * d
            distance[i, j] = math.sqrt(squares)


@compiled
def soft_dtw(cost, gamma, r):
    for b in range(cost.shape[0]):
        for i in range(cost.shape[1]):
            for j in range(cost.shape[2]):
                both, left, up = -r[b, i, j] / gamma, -r[b, i, j + 1] / gamma, -r[b, i + 1, j] / gamma
                most = max(max(both, left), up)
                sum_ = math.exp(both - most) + math.exp(left - most) + math.exp(up - most)
                r[b, i + 1, j + 1] = cost[b, i, j] - gamma * (math.log(sum_) + most)


@compiled
def row_distance(x, y, distance):
    for r in range(x.shape[0]):
        sum_ = np.float32(0)
        for c in range(x.shape[1]):
            d = x[r, c] - y[r, c]
            sum_ += d * d
        distance[r] = sum_


@compiled
def softmax(logits, probability):
    for r in range(logits.shape[0]):
        largest = np.float32(-3e38)
        for c in range(logits.shape[1]):
            largest = max(largest, logits[r, c])
        sum_ = np.float32(0)
        for c in range(logits.shape[1]):
            e = math.exp(logits[r, c] - largest)
            probability[r, c] = e
            sum_ += e
        scale = np.float32(1) / sum_
        for c in range(logits.shape[1]):
            probability[r, c] *= scale


@compiled
def scan(x, y):
    for r in range(x.shape[0]):
        sum_ = np.float32(0)
        for c in range(x.shape[1]):
            sum_ += x[r, c]
            y[r, c] = sum_


@compiled
def histogram(values, counts):
    for i in range(values.size):
        counts[values[i]] += 1
