#include "format/checkpoint.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "models/activations.h"
#include "models/model.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

const std::string kSharded = std::string(FIXTURES) + "/golden/qwen3-sharded-bf16";
const std::string kTied = std::string(FIXTURES) + "/golden/llama-tied-f16-v4config";

std::string refusal(const TemporaryFolder& folder, std::string* message = nullptr) {
  return code_of([&] { Model model(folder.path(), ""); }, message);
}

}  // namespace

TEST_CASE("shards: missing, leading out of the folder, disagreeing with the index") {
  const std::string index = read_file(kSharded + "/model.safetensors.index.json");
  const auto with_index = [&](const std::string& text, std::string* message) {
    const TemporaryFolder folder;
    folder.copy_from(kSharded);
    folder.write("model.safetensors.index.json", text);
    return refusal(folder, message);
  };
  std::string message;
  CHECK(with_index(index, nullptr) == "");
  CHECK(with_index(replaced(index, "model-00001-of-00003", "model-00009-of-00003"), &message) ==
        "FILE_NOT_FOUND");
  CHECK(message.find("model-00009-of-00003.safetensors") != std::string::npos);
  CHECK(with_index(replaced(index, "model-00001-of-00003", "../model-00001-of-00003"), &message) ==
        "INVALID_WEIGHTS");
  CHECK(with_index(replaced(index, "model-00001-of-00003", "model-00003-of-00003"), &message) ==
        "INVALID_WEIGHTS");
  CHECK(with_index(R"({"weight_map":{}})", &message) == "INVALID_WEIGHTS");
  CHECK(with_index("[]", &message) == "INVALID_WEIGHTS");
  CHECK(with_index("{", &message) == "INVALID_WEIGHTS");
}

TEST_CASE("a folder without weights says what is read") {
  const TemporaryFolder folder;
  folder.write("config.json", read_file(kTied + "/config.json"));
  folder.write("pytorch_model.bin", "pickle");
  std::string message;
  CHECK(refusal(folder, &message) == "FILE_NOT_FOUND");
  CHECK(message.find("only safetensors weights are read") != std::string::npos);
  CHECK(code_of([&] { Model model(folder.path("nowhere"), ""); }) == "FILE_NOT_FOUND");
}

TEST_CASE("tensors missing, of another shape or dtype, or not understood") {
  const std::string whole = read_file(kTied + "/model.safetensors");
  const auto changed = [&](const std::string& from, const std::string& to, std::string* message) {
    const TemporaryFolder folder;
    folder.copy_from(kTied);
    folder.write("model.safetensors", replaced(whole, from, to));
    return refusal(folder, message);
  };
  std::string message;
  CHECK(changed("model.norm.weight", "model.Norm.weight", &message) == "INVALID_WEIGHTS");
  CHECK(message.find("model.norm.weight") != std::string::npos);
  CHECK(changed("\"shape\":[64,160]", "\"shape\":[160,64]", &message) == "INVALID_WEIGHTS");
  CHECK(message.find("down_proj") != std::string::npos);
  CHECK(changed("\"dtype\":\"F16\"", "\"dtype\":\"I16\"", &message) == "INVALID_WEIGHTS");
  CHECK(message.find("I16") != std::string::npos);
}

TEST_CASE(
    "a file cut or written to after it was opened is an error, not the end of the process or other numbers") {
  const std::vector<int32_t> ids = {1, 2, 3};
  const std::vector<int64_t> offsets = {0, 3};
  const TemporaryFolder folder;
  folder.copy_from(kTied);
  const std::string file = folder.path("model.safetensors");
  const auto run = [&](const Model& model) {
    Job job;
    return code_of([&] { residuals(model, {ids, offsets}, {3}, job); });
  };
  const Model cut(folder.path(), "");
  CHECK(run(cut) == "");
  std::filesystem::resize_file(file, 4096);
  CHECK(run(cut) == "FILE_CHANGED");

  folder.copy_from(kTied);
  const Model written(folder.path(), "");
  CHECK(run(written) == "");
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(-8, std::ios::end)
      .write("changed!", 8);
  std::filesystem::last_write_time(file, std::filesystem::last_write_time(file) + std::chrono::seconds(2));
  CHECK(run(written) == "FILE_CHANGED");
}

TEST_CASE("two openings of one folder share files, copies do not") {
  const TemporaryFolder folder;
  folder.copy_from(kTied);
  const Checkpoint a(kTied), b(kTied), c(folder.path());
  CHECK(a.same_files(b));
  CHECK_FALSE(a.same_files(c));
}

TEST_CASE(
    "the text half of a multimodal Gemma 3 is the text model, under either prefix, its vision tower left "
    "unread") {
  const std::string source = std::string(FIXTURES) + "/golden/gemma3-text-bf16";
  const std::string whole = read_file(source + "/model.safetensors"),
                    config = read_file(source + "/config.json");
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, whole.data(), 8);
  const auto header = nlohmann::json::parse(whole.substr(8, header_bytes));
  const std::string data = whole.substr(8 + header_bytes);
  const Golden golden(source);
  Job job;
  const auto expected = residuals(Model(source, ""), golden.batch(), {6}, job);

  for (const std::string prefix : {"model.language_model.", "language_model.model."}) {
    nlohmann::json renamed;
    for (const auto& [tensor, entry] : header.items()) {
      renamed[tensor.starts_with("model.") ? prefix + tensor.substr(6) : tensor] = entry;
    }
    const std::string tower = prefix.starts_with("model.") ? "model.vision_tower.x" : "vision_tower.x";
    renamed[tower] = {{"dtype", "U8"}, {"shape", {3}}, {"data_offsets", {data.size(), data.size() + 3}}};
    const TemporaryFolder folder;
    folder.write("model.safetensors", safetensors_bytes(renamed.dump(), data + "abc"));
    nlohmann::json outer = {{"architectures", {"Gemma3ForConditionalGeneration"}},
                            {"model_type", "gemma3"},
                            {"vision_config", {{"hidden_size", 8}}},
                            {"image_token_index", 330}};
    outer["text_config"] = nlohmann::json::parse(config);
    folder.write("config.json", outer.dump());
    const auto actual = residuals(Model(folder.path(), ""), golden.batch(), {6}, job);
    CHECK(actual == expected);

    outer["text_config"]["num_experts"] = 4;
    folder.write("config.json", outer.dump());
    std::string message;
    CHECK(refusal(folder, &message) == "MODEL_UNSUPPORTED");
    CHECK(message.find("text_config.num_experts") != std::string::npos);
  }
}
