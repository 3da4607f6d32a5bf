#include "port.cuh"

using namespace port;

// max z[c]
template <typename scalar_t>
__device__ scalar_t largest_of(Array<const scalar_t, 1> z) {
  scalar_t largest = z[0];
  for (int64_t c = 1; c < z.size(); ++c) {
    if (z[c] > largest) {
      largest = z[c];
    }
  }
  return largest;
}

// log Σ exp(z[c] - largest), in which no exponential overflows.
template <typename scalar_t>
__device__ scalar_t log_total(Array<const scalar_t, 1> z, scalar_t largest) {
  scalar_t total = 0;
  for (int64_t c = 0; c < z.size(); ++c) {
    total += exp(z[c] - largest);
  }
  return log(total);
}

// The loss of each row, and the two parts of its softmax's denominator, exp(shift) · exp(log_sum).
//
// logits [n, classes], target [n] of integers, sample_weight [n], keep [classes], spread [classes] or [0] for none.
// The parts stay apart, since their sum would lose the digits that matter where the logits are large.
//
// Updates: loss [n], shift [n], log_sum [n]. A row whose target is ignore_index gets 0, and one whose target is no
// class NaN; neither reads its logits.
template <typename scalar_t>
__global__ void cross_entropy_kernel(
    Array<const scalar_t, 2> logits,
    Array<const int64_t, 1> target,
    Array<const scalar_t, 1> sample_weight,
    Array<const scalar_t, 1> keep,
    Array<const scalar_t, 1> spread,
    int64_t ignore_index,
    Array<scalar_t, 1> loss,
    Array<scalar_t, 1> shift,
    Array<scalar_t, 1> log_sum) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < loss.size()) {
    const int64_t t = target[i];
    if (t == ignore_index) {
      loss[i] = 0;
      shift[i] = 0;
      log_sum[i] = 0;
    } else if (t < 0 || t >= keep.size()) {
      loss[i] = NAN;
      shift[i] = NAN;
      log_sum[i] = NAN;
    } else {
      shift[i] = largest_of(logits[i]);
      log_sum[i] = log_total(logits[i], shift[i]);
      scalar_t total = keep[t] * (log_sum[i] - (logits(i, t) - shift[i]));
      for (int64_t c = 0; c < spread.size(); ++c) {
        total += spread[c] * (log_sum[i] - (logits(i, c) - shift[i]));
      }
      loss[i] = sample_weight[i] * total;
    }
  }
}

// The gradient by the logits, times the upstream gradient [n] of each row; spread_total [1] is Σ spread.
//
// Updates: gradient [n, classes]. A row whose target is ignore_index gets 0, and one whose target is no class NaN.
template <typename scalar_t>
__global__ void cross_entropy_gradient_kernel(
    Array<const scalar_t, 2> logits,
    Array<const int64_t, 1> target,
    Array<const scalar_t, 1> sample_weight,
    Array<const scalar_t, 1> shift,
    Array<const scalar_t, 1> log_sum,
    Array<const scalar_t, 1> upstream,
    Array<const scalar_t, 1> keep,
    Array<const scalar_t, 1> spread,
    Array<const scalar_t, 1> spread_total,
    int64_t ignore_index,
    Array<scalar_t, 2> gradient) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < gradient.shape(0)) {
    const int64_t t = target[i];
    if (t == ignore_index) {
      for (int64_t c = 0; c < gradient.shape(1); ++c) {
        gradient(i, c) = 0;
      }
    } else if (t < 0 || t >= keep.size()) {
      for (int64_t c = 0; c < gradient.shape(1); ++c) {
        gradient(i, c) = NAN;
      }
    } else {
      const scalar_t scale = upstream[i] * sample_weight[i];
      for (int64_t c = 0; c < gradient.shape(1); ++c) {
        const scalar_t is_target = scalar_t(c == t);
        const scalar_t probability = exp(logits(i, c) - shift[i] - log_sum[i]);
        gradient(i, c) = scale * keep[t] * (probability - is_target);
      }
      for (int64_t c = 0; c < spread.size(); ++c) {
        const scalar_t probability = exp(logits(i, c) - shift[i] - log_sum[i]);
        gradient(i, c) += scale * (spread_total[0] * probability - spread[c]);
      }
    }
  }
}
