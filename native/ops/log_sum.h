#pragma once

#include <cstdint>
#include <limits>

namespace deltascope {

/// log Σ e^x over float32 values that come piece by piece, in float64. NaN and +∞ make it NaN. The bits depend on the
/// pieces, not on threads.
class LogSum {
 public:
  void add(const float* x, int64_t count);
  double value() const;

 private:
  float highest_ = -std::numeric_limits<float>::infinity();
  double sum_ = 0;  // Σ e^(x − highest)
};

/// out = e^(x − shift), float32; may be in place.
void exponentials(const float* x, double shift, float* out, int64_t count);

/// Σ p (log p − log q) over two rows of logits whose log-sums are given: the divergence of softmax(p) from softmax(q), float64.
double divergence(const float* p, double p_total, const float* q, double q_total, int64_t count);

}  // namespace deltascope
