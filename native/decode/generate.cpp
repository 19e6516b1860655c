#include "decode/generate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "core/team.h"
#include "decode/decode_weights.h"
#include "decode/philox.h"
#include "models/activations.h"

namespace deltascope {
namespace {

constexpr int64_t kMostRows = 128;  // more at once would gain little

[[noreturn]] void refuse(const std::string& field, const std::string& message, const std::string& expected,
                         const std::string& found) {
  throw Error(Code::invalid_argument, message, {{"field", field}, {"expected", expected}, {"found", found}});
}

/// The longest text that the model has a meaning for, and why.
std::pair<int64_t, const char*> longest_text(const ModelSpec& spec) {
  std::pair<int64_t, const char*> longest = {INT64_MAX, ""};
  const auto consider = [&](int64_t most, const char* why) {
    if (most > 0 && most < longest.first) longest = {most, why};
  };
  consider(spec.learned_positions, "it has learned so many positions");
  consider(spec.prefix_context(), "beyond it its rotary embedding changes with the text's length");
  consider(spec.max_positions, "max_position_embeddings of its config.json");
  return longest;
}

void require_fitting(const Model& model, const GenerateRequest& request) {
  const ModelSpec& spec = model.spec();
  const auto [longest, why] = longest_text(spec);
  const int64_t new_tokens = request.max_new_tokens;
  if (new_tokens < 1)
    refuse("maxNewTokens", "maxNewTokens is " + std::to_string(new_tokens) + "; at least 1 is expected", "1",
           std::to_string(new_tokens));
  for (int64_t i = 0; i < request.prompts.sequences(); ++i) {
    const auto length = static_cast<int64_t>(request.prompts.sequence(i).size());
    const std::string which = "prompt " + std::to_string(i);
    if (length == 0) refuse("prompts", which + " is empty; at least one token is expected", "1", "0");
    if (length <= longest && new_tokens <= longest - length) continue;
    refuse("prompts",
           which + " has " + std::to_string(length) + " tokens and " + std::to_string(new_tokens) +
               " may follow; " + spec.architecture + " takes " + std::to_string(longest) + " (" + why + ")",
           std::to_string(longest),
           std::to_string(static_cast<uint64_t>(length) + static_cast<uint64_t>(new_tokens)));
  }
  require_known_tokens(model, request.prompts);
  for (const int32_t id : request.stop) {
    if (id >= 0 && id < spec.vocab_size) continue;
    refuse("stop",
           "stop token " + std::to_string(id) + " is not in the vocabulary of " +
               std::to_string(spec.vocab_size) + " tokens",
           "0 to " + std::to_string(spec.vocab_size - 1), std::to_string(id));
  }
}

void require_steering(const ModelSpec& spec, const GenerateRequest& request) {
  const Steering& steering = request.steering;
  if (static_cast<int64_t>(request.strengths.size()) != request.prompts.sequences()) {
    refuse("strengths",
           std::to_string(request.strengths.size()) + " strengths for " +
               std::to_string(request.prompts.sequences()) + " prompts",
           std::to_string(request.prompts.sequences()), std::to_string(request.strengths.size()));
  }
  if (steering.layer == -1) return;
  if (steering.layer < 0 || steering.layer >= spec.layers) {
    refuse("layer",
           "layer " + std::to_string(steering.layer) + " is not among the " + std::to_string(spec.layers) +
               " layers",
           "0 to " + std::to_string(spec.layers - 1), std::to_string(steering.layer));
  }
  if (static_cast<int64_t>(steering.vector.size()) != spec.d_model) {
    refuse("vector",
           "the steering vector has " + std::to_string(steering.vector.size()) +
               " values; the model has d_model " + std::to_string(spec.d_model),
           std::to_string(spec.d_model), std::to_string(steering.vector.size()));
  }
  const auto is_finite = [](float x) { return std::isfinite(x); };
  if (!std::all_of(steering.vector.begin(), steering.vector.end(), is_finite))
    refuse("vector", "the steering vector holds values that are not finite", "finite values",
           "NaN or infinity");
  if (!std::all_of(request.strengths.begin(), request.strengths.end(), is_finite))
    refuse("strengths", "a strength is not finite", "finite values", "NaN or infinity");
}

void require_sampling(const GenerateRequest& request) {
  const Sampling& s = request.sampling;
  const auto require = [](const char* field, double value, bool ok, const std::string& expected) {
    if (ok) return;
    std::string found = std::to_string(value);
    refuse(field, std::string(field) + " is " + found + "; " + expected + " is expected", expected, found);
  };
  require("temperature", s.temperature, s.temperature >= 0 && std::isfinite(s.temperature),
          "a number from 0");
  require("topK", static_cast<double>(s.top_k), s.top_k >= 0, "a whole number from 0");
  require("topP", s.top_p, s.top_p >= 0 && s.top_p <= 1, "a number from 0 to 1");
  require("repetitionPenalty", s.repetition_penalty,
          s.repetition_penalty > 0 && std::isfinite(s.repetition_penalty), "a number above 0");
  require("stopRepetition", static_cast<double>(request.stop_repetition),
          request.stop_repetition == 0 || request.stop_repetition >= 2, "0, or a whole number from 2");
}

/// One text under way.
struct Text {
  std::span<const int32_t> prompt;
  RandomStream random;
  std::set<int32_t> seen;  // for a repetition penalty
  GeneratedText result;
};

/// How many texts with the same prompt and strength stand before each.
std::vector<int64_t> count_equals(const GenerateRequest& request) {
  std::map<std::pair<std::vector<int32_t>, float>, int64_t> met;
  std::vector<int64_t> before;
  for (int64_t i = 0; i < request.prompts.sequences(); ++i) {
    const auto ids = request.prompts.sequence(i);
    before.push_back(met[{{ids.begin(), ids.end()}, request.strengths[static_cast<size_t>(i)]}]++);
  }
  return before;
}

/// Where each wave of texts begins, and the end.
std::vector<int64_t> plan_waves(const Model& model, const GenerateRequest& request, int64_t& weights_budget) {
  const int64_t weights = DecodeWeights::bytes(model), token = Decoder::bytes_per_token(model);
  const int64_t budget = model.backend().text_budget(request.memory_budget);
  const int64_t room = std::max(budget - weights, budget / 2);
  std::vector<int64_t> waves = {0};
  int64_t bytes = 0, most = 0;
  for (int64_t i = 0; i < request.prompts.sequences(); ++i) {
    const auto length = static_cast<int64_t>(request.prompts.sequence(i).size());
    const int64_t own = (length + request.max_new_tokens) * token;
    if (i > waves.back() && (bytes + own > room || i - waves.back() == kMostRows)) {
      waves.push_back(i);
      bytes = 0;
    }
    bytes += own;
    most = std::max(most, bytes);
  }
  waves.push_back(request.prompts.sequences());
  weights_budget = budget - most;
  return waves;
}

}  // namespace

std::vector<GeneratedText> generate(const Model& model, const GenerateRequest& request, Job& job) {
  const ModelSpec& spec = model.spec();
  const int64_t texts = request.prompts.sequences();
  require_steering(spec, request);
  require_sampling(request);
  require_fitting(model, request);
  if (texts == 0) return {};

  const std::vector<int64_t> ordinals = count_equals(request);
  int64_t weights_budget = 0;
  const std::vector<int64_t> waves = plan_waves(model, request, weights_budget);
  Decoder decoder(model, request.steering, weights_budget);
  Team team(omp_get_max_threads());
  const int64_t work = static_cast<int64_t>(request.prompts.ids.size()) + texts * request.max_new_tokens;
  int64_t done = 0;
  const auto report = [&](int64_t now) {
    if (job.on_progress) job.on_progress(now, work);
  };

  std::vector<GeneratedText> results;
  for (size_t w = 0; w + 1 < waves.size(); ++w) {
    const int64_t first = waves[w], count = waves[w + 1] - first;
    const TokenBatch prompts = {
        request.prompts.ids,
        request.prompts.offsets.subspan(static_cast<size_t>(first), static_cast<size_t>(count + 1))};
    const auto strengths =
        std::span(request.strengths).subspan(static_cast<size_t>(first), static_cast<size_t>(count));
    std::vector<Text> wave;
    for (int64_t i = 0; i < count; ++i) {
      const auto prompt = prompts.sequence(i);
      wave.push_back(
          {prompt, RandomStream(request.seed, prompt, ordinals[static_cast<size_t>(first + i)]), {}, {}});
      if (request.sampling.repetition_penalty != 1) wave.back().seen.insert(prompt.begin(), prompt.end());
    }
    const int64_t prompt_tokens = prompts.offsets.back() - prompts.offsets.front();
    const auto read = [&](int64_t nodes, int64_t all) {
      const double share = static_cast<double>(nodes) / static_cast<double>(all);
      report(done + static_cast<int64_t>(static_cast<double>(prompt_tokens) * share));
    };
    const int64_t expected = std::min(count * (request.max_new_tokens - 1),
                                      model.backend().text_budget(request.memory_budget) / Decoder::bytes_per_token(model));
    decoder.begin(prompts, strengths, job, read, expected);
    done += prompt_tokens;

    const Team::Use awake(team);
    std::vector<int64_t> live(static_cast<size_t>(count));
    std::iota(live.begin(), live.end(), int64_t{0});
    for (int64_t step = 0; !live.empty(); ++step) {
      Choice choice = {request.sampling, {}, {}};
      for (const int64_t row : live) {
        const Text& text = wave[static_cast<size_t>(row)];
        choice.uniform.push_back(text.random.uniform(step));
        choice.seen.push_back(&text.seen);
      }
      const std::vector<int32_t> ids = decoder.choose(choice, job);
      std::vector<int64_t> going;
      std::vector<int32_t> going_ids;
      for (size_t i = 0; i < live.size(); ++i) {
        Text& text = wave[static_cast<size_t>(live[i])];
        std::vector<int32_t>& own = text.result.ids;
        const int64_t prompt = first + live[i];
        if (ids[i] < 0) {
          throw Error(Code::invalid_weights,
                      "the logits of prompt " + std::to_string(prompt) + " are not finite after " +
                          std::to_string(own.size()) +
                          " tokens: a strength is too large, or weights are not finite",
                      {{"found", "NaN or infinity"}});
        }
        own.push_back(ids[i]);
        if (request.sampling.repetition_penalty != 1) text.seen.insert(ids[i]);
        if (job.on_token) job.on_token(prompt, ids[i]);
        ++done;
        const bool stops = std::find(request.stop.begin(), request.stop.end(), ids[i]) != request.stop.end();
        const bool repeats =
            !stops && request.stop_repetition > 0 && ends_in_repetition(own, request.stop_repetition);
        if (stops || repeats || step + 1 == request.max_new_tokens) {
          text.result.finish = stops ? Finish::stop : (repeats ? Finish::repetition : Finish::length);
          done += request.max_new_tokens - static_cast<int64_t>(own.size());
        } else {
          going.push_back(live[i]);
          going_ids.push_back(ids[i]);
        }
      }
      report(done);
      live = std::move(going);
      if (!live.empty()) decoder.append(live, going_ids, job);
    }
    for (Text& text : wave) results.push_back(std::move(text.result));
  }
  return results;
}

}  // namespace deltascope
