#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace deltascope {

/// Rotary position embedding over the first 2·frequencies.size() values of every head, halves paired
/// (i with i + size/2), as the Hugging Face checkpoints of Llama-like models expect.
///   angle = position · frequency, both float32 as transformers has them; cosine and sine from float64.
/// x: [rows, heads, head_dim] float32, row stride `stride`, changed in place. positions: one per row.
/// Source: Su et al. 2021, arXiv 2104.09864.
void apply_rotary(float* x, int64_t stride, std::span<const int32_t> positions, int64_t heads,
                  int64_t head_dim, std::span<const float> frequencies);

/// θ^(−2i/size) for i < size/2, in float32.
std::vector<float> rotary_frequencies(double theta, int64_t size);

/// Stretches the long wavelengths as Llama 3.1 does (rope_type "llama3"); `original_context` in tokens.
void scale_llama3(std::vector<float>& frequencies, double factor, double low_frequency_factor,
                  double high_frequency_factor, double original_context);

}  // namespace deltascope
