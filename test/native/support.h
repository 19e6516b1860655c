#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "core/errors.h"
#include "format/safetensors.h"
#include "models/prefix_tree.h"
#include "ops/convert.h"
#include "temporary_folder.h"

namespace deltascope::test {

/// Normal float32 values from a seed.
inline std::vector<float> random_floats(size_t count, uint32_t seed, float scale = 1) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(count);
  for (float& value : values) value = normal(bits);
  return values;
}

/// ‖actual − expected‖ / ‖expected‖ in float64; infinite when a value is not finite.
inline double relative_l2(const float* actual, const float* expected, size_t count) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(actual[i])) return INFINITY;
    difference +=
        (static_cast<double>(actual[i]) - expected[i]) * (static_cast<double>(actual[i]) - expected[i]);
    norm += static_cast<double>(expected[i]) * expected[i];
  }
  return std::sqrt(difference / norm);
}

/// The code of the Error that a call throws; "" when it throws none. Its message is kept in `message`.
template <typename Call>
std::string code_of(const Call& call, std::string* message = nullptr) {
  try {
    call();
  } catch (const Error& e) {
    if (message != nullptr) *message = e.what();
    return name(e.code());
  }
  return "";
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Replaces the first occurrence of `from`, which must be there.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  REQUIRE_MESSAGE(at != std::string::npos, from);
  return text.replace(at, from.size(), to);
}

/// A safetensors file: header length, header, data.
inline std::string safetensors_bytes(const std::string& header, const std::string& data = "") {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i) & 0xff);
  return bytes + header + data;
}

/// A golden file of shared expectations: see test/fixtures/golden.
struct Golden {
  explicit Golden(const std::string& folder) : file(folder + "/expected.safetensors") {
    const auto& ids = file.tensors().at("input_ids");
    const auto raw = file.contents(ids);
    sequences = ids.shape[0];
    length = ids.shape[1];
    for (int64_t i = 0; i < sequences; ++i) {
      for (int64_t t = 0; t < length; ++t) {
        int64_t id;
        std::memcpy(&id, raw.data() + (i * length + t) * 8, 8);
        if (id >= 0) tokens.push_back(static_cast<int32_t>(id));
      }
      offsets.push_back(static_cast<int64_t>(tokens.size()));
    }
  }
  TokenBatch batch() const { return {tokens, offsets}; }
  std::vector<float> floats(const std::string& tensor) const {
    const auto& info = file.tensors().at(tensor);
    std::vector<float> values(static_cast<size_t>(info.elements()));
    convert_to_f32(file.contents(info), info.dtype, values.data(), info.elements());
    return values;
  }

  Safetensors file;
  int64_t sequences = 0, length = 0;
  std::vector<int32_t> tokens;
  std::vector<int64_t> offsets = {0};
};

}  // namespace deltascope::test
