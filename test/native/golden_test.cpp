// Activations and logits against what transformers computes in float32: test/fixtures/golden, or the folder of such
// cases that DELTASCOPE_GOLDEN names.
#include <algorithm>

#include "models/activations.h"
#include "models/model.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

constexpr double kTolerance = 1e-5;

struct Case {
  std::string checkpoint, adapter;
};

/// Every folder of test/fixtures/golden: "<case>" or "<case>--<adapter>".
std::vector<Case> cases() {
  std::vector<Case> found;
  const char* other = std::getenv("DELTASCOPE_GOLDEN");
  const std::string root = other == nullptr ? std::string(FIXTURES) + "/golden/" : std::string(other) + "/";
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    const std::string folder = entry.path().filename();
    const size_t dash = folder.find("--");
    if (dash == std::string::npos) {
      found.push_back({root + folder, ""});
    } else {
      found.push_back({root + folder.substr(0, dash), root + folder});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Case& a, const Case& b) { return a.checkpoint + a.adapter < b.checkpoint + b.adapter; });
  return found;
}

void check_case(const Case& c, const std::string& label) {
  const Golden golden(label);
  const Model model(c.checkpoint, c.adapter);
  const int64_t d = model.spec().d_model, vocabulary = model.spec().vocab_size,
                layers = model.spec().layers;
  Job job;

  std::vector<int64_t> all;
  for (int64_t layer = 0; layer < layers; ++layer) all.push_back(layer);
  const auto activations = residuals(model, golden.batch(), all, job);
  const auto expected = golden.floats("resid");
  double worst = 0;
  int64_t compared = 0;
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (int64_t s = 0; s < golden.sequences; ++s) {
      const auto& rows = activations[static_cast<size_t>(layer)][static_cast<size_t>(s)];
      for (int64_t t = 0; t < static_cast<int64_t>(golden.batch().sequence(s).size()); ++t, ++compared) {
        const float* want =
            expected.data() + (((layer + 1) * golden.sequences + s) * golden.length + t) * d;
        worst = std::max(worst, relative_l2(rows.data() + t * d, want, static_cast<size_t>(d)));
      }
    }
  }
  CHECK(compared == layers * static_cast<int64_t>(golden.tokens.size()));
  MESSAGE(std::filesystem::path(label).filename().string()
          << ": worst activation " << worst << ", " << 100 * worst / kTolerance << " % of the tolerance");
  CHECK(worst <= kTolerance);

  const auto all_logits = logits(model, golden.batch(), job);
  const auto expected_logits = golden.floats("logits");
  double worst_logits = 0;
  for (int64_t s = 0; s < golden.sequences; ++s) {
    for (size_t t = 0; t < golden.batch().sequence(s).size(); ++t) {
      const float* want =
          expected_logits.data() + (s * golden.length + static_cast<int64_t>(t)) * vocabulary;
      worst_logits = std::max(worst_logits, relative_l2(all_logits[static_cast<size_t>(s)].data() +
                                                            static_cast<int64_t>(t) * vocabulary,
                                                        want, static_cast<size_t>(vocabulary)));
    }
  }
  CHECK(worst_logits <= kTolerance);
  if (worst_logits > kTolerance) MESSAGE("logits " << worst_logits);
}

}  // namespace

TEST_CASE("activations and logits of every golden case are those of transformers") {
  REQUIRE(!cases().empty());
  for (const Case& c : cases()) {
    const std::string label = c.adapter.empty() ? c.checkpoint : c.adapter;
    CAPTURE(label);
    std::string message;
    const std::string code = code_of([&] { check_case(c, label); }, &message);
    CAPTURE(message);
    CHECK(code == "");
  }
}
