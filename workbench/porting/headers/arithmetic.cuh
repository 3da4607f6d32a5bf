// Python's arithmetic where that of C++ differs.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <type_traits>

namespace port {

// a % b with the sign of b. Modulo 0, an integer gives 0 and a float NaN.
template <typename T>
__device__ T floor_mod(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    const T remainder = fmod(a, b);
    if (remainder == 0) {
      return b < 0 ? -T(0) : T(0);
    }
    return (remainder < 0) != (b < 0) ? remainder + b : remainder;
  } else if constexpr (std::is_signed_v<T>) {
    if (b == 0 || b == -1) {  // the least integer by -1 does not fit
      return 0;
    }
    const T remainder = a % b;
    return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
  } else {
    return b == 0 ? 0 : a % b;
  }
}

// a // b, rounded towards minus infinity. By 0, an integer gives 0 and a float a / 0; the least integer by -1 gives 0.
template <typename T>
__device__ T floor_div(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (b == 0) {
      return a / b;
    }
    const T remainder = fmod(a, b);
    T quotient = (a - remainder) / b;
    if (remainder != 0 && (remainder < 0) != (b < 0)) {
      quotient -= 1;
    }
    if (quotient == 0) {
      return quotient * quotient * a / b;  // 0 with the sign of a / b
    }
    const T whole = floor(quotient);
    return quotient - whole > T(0.5) ? whole + 1 : whole;
  } else if constexpr (std::is_signed_v<T>) {
    if (b == 0) {
      return 0;
    }
    if (b == -1) {
      const T least = static_cast<T>(T(1) << (8 * sizeof(T) - 1));
      return a == least ? 0 : -a;
    }
    const T quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
  } else {
    return b == 0 ? 0 : a / b;
  }
}

// base ** exponent for an integer exponent, by squaring.
template <typename T, typename I>
__device__ T power(T base, I exponent) {
  bool inverted = false;
  if constexpr (std::is_signed_v<I>) {
    inverted = exponent < 0;
  }
  if constexpr (std::is_integral_v<T>) {
    if (inverted && base == 0) {
      return static_cast<T>(T(1) << (8 * sizeof(T) - 1));
    }
    if (inverted && base != 1 && base != T(-1)) {
      return 0;
    }
  }
  uint64_t remaining = inverted ? -static_cast<uint64_t>(exponent) : static_cast<uint64_t>(exponent);
  T result = 1;
  while (remaining != 0) {
    if (remaining & 1) {
      result *= base;
    }
    base *= base;
    remaining >>= 1;
  }
  return inverted ? 1 / result : result;
}

// base ** exponent for a constant exponent.
template <int exponent, typename T>
__device__ T power(T base) {
  return power(base, exponent);
}

}  // namespace port
