// Rotary settings of config.json, in both spellings. Source: transformers' modeling_rope_utils.
#include <algorithm>
#include <cmath>

#include "models/family.h"

namespace deltascope {
namespace {

constexpr int64_t kMaxPositions = int64_t{1} << 40;

/// The context that a stretch started from. In the parameters or beside them, and not two things at once; else the
/// model's own.
int64_t original_context(ConfigReader& parameters, const RotaryContext& context) {
  const std::string key = "original_max_position_embeddings";
  const int64_t inside = parameters.integer_or(key, 1, kMaxPositions, 0);
  if (inside > 0 && context.original_positions > 0 && inside != context.original_positions) {
    parameters.fail(key, "the value beside it, " + std::to_string(context.original_positions) + ",");
  }
  const int64_t original =
      inside > 0 ? inside : (context.original_positions > 0 ? context.original_positions : context.max_positions);
  if (original == 0) parameters.fail(key, "a whole number, or max_position_embeddings beside it");
  return original;
}

std::vector<double> read_factors(ConfigReader& parameters, const std::string& key, int64_t size) {
  const auto& list = parameters.raw(key);
  const std::string expected = "a list of " + std::to_string(size / 2) + " positive numbers";
  if (!list.is_array() || static_cast<int64_t>(list.size()) != size / 2) parameters.fail(key, expected);
  std::vector<double> factors;
  for (const auto& factor : list) {
    if (!factor.is_number() || !(factor.get<double>() > 0) || !std::isfinite(factor.get<double>())) {
      parameters.fail(key, expected);
    }
    factors.push_back(factor.get<double>());
  }
  return factors;
}

RotaryTable read_linear(ConfigReader& parameters, double theta, int64_t size, const RotaryContext&) {
  RotaryTable table{rotary_frequencies(theta, size)};
  const double factor = parameters.real("factor", 0);
  for (float& frequency : table.frequencies) frequency = static_cast<float>(frequency / factor);
  parameters.ignore({"original_max_position_embeddings"});
  return table;
}

RotaryTable read_llama3(ConfigReader& parameters, double theta, int64_t size, const RotaryContext& context) {
  RotaryTable table{rotary_frequencies(theta, size)};
  const double low = parameters.real("low_freq_factor", 0), high = parameters.real("high_freq_factor", 0);
  if (!(high > low)) parameters.fail("high_freq_factor", "a number above low_freq_factor");
  scale_llama3(table.frequencies, parameters.real("factor", 0), low, high,
               static_cast<double>(original_context(parameters, context)));
  return table;
}

/// Beyond the context that the model was made for the base grows with the text's length.
RotaryTable read_dynamic(ConfigReader& parameters, double theta, int64_t size, const RotaryContext& context) {
  if (context.max_positions == 0) parameters.fail("rope_type", "max_position_embeddings beside it");
  if (size <= 2) parameters.fail("rope_type", "heads of more than 2 values");
  RotaryTable table{rotary_frequencies(theta, size)};
  table.context = context.max_positions;
  table.theta = theta;
  table.factor = parameters.real("factor", 0);
  parameters.ignore({"original_max_position_embeddings"});
  return table;
}

RotaryTable read_yarn(ConfigReader& parameters, double theta, int64_t size, const RotaryContext& context) {
  const auto original = static_cast<double>(original_context(parameters, context));
  const double factor = parameters.real("factor", 0);
  // Zero means the default too, as in transformers.
  const auto or_default = [&](const std::string& key, double otherwise) {
    const double value = parameters.real_or(key, -1e-300, 0);
    return value == 0 ? otherwise : value;
  };
  const Yarn yarn{factor, original, or_default("beta_fast", 32), or_default("beta_slow", 1),
                  parameters.boolean_or("truncate", true)};
  if (!(theta > 1)) parameters.fail("rope_theta", "a number above 1 for yarn");
  RotaryTable table{yarn_frequencies(theta, size, yarn)};
  const double scale = or_default("mscale", 0), all = or_default("mscale_all_dim", 0);
  double temperature = yarn_temperature(factor, 1);
  if (scale != 0 && all != 0) temperature = yarn_temperature(factor, scale) / yarn_temperature(factor, all);
  table.scale = static_cast<float>(parameters.real_or("attention_factor", 0, temperature));
  return table;
}

/// Short texts turn by one table, texts beyond the original context by another, at every position.
RotaryTable read_longrope(ConfigReader& parameters, double theta, int64_t size, const RotaryContext& context) {
  RotaryTable table;
  table.frequencies = longrope_frequencies(theta, read_factors(parameters, "short_factor", size));
  table.beyond = longrope_frequencies(theta, read_factors(parameters, "long_factor", size));
  table.context = original_context(parameters, context);
  const auto original = static_cast<double>(table.context);
  const double factor =
      parameters.real_or("factor", 0, context.max_positions == 0 ? 1.0 : static_cast<double>(context.max_positions) / original);
  if (factor > 1 && table.context < 2) parameters.fail("original_max_position_embeddings", "at least 2");
  const double temperature = factor <= 1 ? 1.0 : std::sqrt(1 + std::log(factor) / std::log(original));
  table.scale = static_cast<float>(parameters.real_or("attention_factor", 0, temperature));
  return table;
}

RotaryTable read_default(ConfigReader&, double theta, int64_t size, const RotaryContext&) {
  return {rotary_frequencies(theta, size)};
}

struct RotaryType {
  std::string_view name;
  RotaryTable (*read)(ConfigReader& parameters, double theta, int64_t size, const RotaryContext& context);
};

constexpr RotaryType kTypes[] = {{"default", read_default}, {"linear", read_linear}, {"dynamic", read_dynamic},
                                 {"yarn", read_yarn},       {"llama3", read_llama3}, {"longrope", read_longrope},
                                 {"su", read_longrope}};  // longrope's name in the first Phi-3 files

/// Settings that are in range can together be out of it.
void require_finite(const ConfigReader& parameters, const RotaryTable& table) {
  const auto is_finite = [](float x) { return std::isfinite(x); };
  if (std::all_of(table.frequencies.begin(), table.frequencies.end(), is_finite) &&
      std::all_of(table.beyond.begin(), table.beyond.end(), is_finite) && std::isfinite(table.scale) && table.scale > 0) {
    return;
  }
  for (const char* key : {"short_factor", "long_factor", "mscale", "factor"}) {
    if (parameters.has(key)) parameters.fail(key, "a value that leaves the rotation finite");
  }
  parameters.fail("rope_theta", "a value that leaves the rotation finite");
}

}  // namespace

RotaryContext read_rotary_context(ConfigReader& config, int64_t head_dim, double default_theta) {
  RotaryContext context;
  context.head_dim = head_dim;
  context.theta = default_theta;
  context.max_positions = config.integer_or("max_position_embeddings", 1, kMaxPositions, 0);
  context.original_positions = config.integer_or("original_max_position_embeddings", 1, kMaxPositions, 0);
  return context;
}

RotaryTable read_rotary_parameters(ConfigReader& parameters, const RotaryContext& context) {
  const double theta = parameters.real_or("rope_theta", 0, context.theta);
  const double partial = parameters.real_or("partial_rotary_factor", 0, context.partial_factor);
  if (partial != 1 && (!context.partial || partial > 1)) parameters.unsupported("partial_rotary_factor", "1");
  const auto size = static_cast<int64_t>(static_cast<double>(context.head_dim) * partial);
  if (size < 2 || size % 2 != 0) parameters.fail("partial_rotary_factor", "an even number of rotated values");
  const std::string name = parameters.string_or("rope_type", parameters.string_or("type", "default"));
  for (const RotaryType& type : kTypes) {
    if (type.name != name) continue;
    const RotaryTable table = type.read(parameters, theta, size, context);
    require_finite(parameters, table);
    parameters.ignore({"rope_type", "type", "finetuned"});  // the last says how a stretch was made
    for (const std::string& key : parameters.unread()) {
      // Everything in here is about the rotation; a field that is not understood is not passed over.
      throw Error(Code::model_unsupported,
                  parameters.file() + ": " + parameters.field(key) + " is not supported with rope_type " + name,
                  {{"file", parameters.file()}, {"field", parameters.field(key)}});
    }
    return table;
  }
  parameters.unsupported(parameters.has("rope_type") ? "rope_type" : "type",
                         "default, linear, dynamic, yarn, llama3, longrope");
}

RotaryTable read_rotary(ConfigReader& config, const RotaryContext& given) {
  RotaryContext context = given;
  const bool outside = config.has("rope_theta");
  context.theta = config.real_or("rope_theta", 0, given.theta);
  if (given.partial) context.partial_factor = config.real_or("partial_rotary_factor", 0, 1);
  auto recent = config.object("rope_parameters"), old = config.object("rope_scaling");
  // Which of two spellings wins has changed between versions of transformers: a file must not say two things.
  if (recent && old) config.fail("rope_scaling", "nothing beside rope_parameters");
  ConfigReader source = old ? *old : config.object_or_empty("rope_parameters");
  if (outside && source.has("rope_theta") && source.real("rope_theta", 0) != context.theta) {
    config.fail("rope_theta", "the value of " + source.field("rope_theta"));
  }
  return read_rotary_parameters(source, context);
}

}  // namespace deltascope
