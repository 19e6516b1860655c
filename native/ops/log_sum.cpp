#include "ops/log_sum.h"

#include <algorithm>
#include <cmath>

#include "core/simd.h"
#include "ops/vector_math.h"

namespace deltascope {
namespace {

DELTASCOPE_SIMD double sum_of_exponentials(const float* x, double shift, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += fast_exp(x[i] - shift);
  return sum;
}

DELTASCOPE_SIMD float highest_of(const float* x, int64_t count) {
  float highest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : highest)
  for (int64_t i = 0; i < count; ++i) highest = x[i] > highest ? x[i] : highest;
  return highest;
}

DELTASCOPE_SIMD void exponentiate(const float* x, double shift, float* out, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(fast_exp(x[i] - shift));
}

DELTASCOPE_SIMD double diverge(const float* p, double p_total, const float* q, double q_total, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) {
    const double log_p = p[i] - p_total;
    sum += fast_exp(log_p) * (log_p - (q[i] - q_total));
  }
  return sum;
}

}  // namespace

void exponentials(const float* x, double shift, float* out, int64_t count) { exponentiate(x, shift, out, count); }

double divergence(const float* p, double p_total, const float* q, double q_total, int64_t count) {
  return diverge(p, p_total, q, q_total, count);
}

void LogSum::add(const float* x, int64_t count) {
  const float highest = std::max(highest_, highest_of(x, count));
  if (highest > highest_) {
    sum_ *= std::exp(static_cast<double>(highest_) - highest);  // 0 at first
    highest_ = highest;
  }
  sum_ += sum_of_exponentials(x, highest_, count);
}

double LogSum::value() const { return highest_ + std::log(sum_); }

}  // namespace deltascope
