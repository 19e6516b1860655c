#include "format/checkpoint.h"

#include <algorithm>

#include "core/errors.h"
#include "format/strict_json.h"

namespace deltascope {
namespace {

constexpr size_t kMaxIndex = size_t{64} << 20;

/// A shard is a plain file name, printable and short: an index must not lead out of its folder.
bool is_plain_name(const std::string& text) {
  const auto plain = [](unsigned char c) { return c >= 0x20 && c != 0x7f && c != '/' && c != '\\'; };
  return !text.empty() && text.size() <= 255 && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), plain);
}

}  // namespace

Checkpoint::Checkpoint(const std::string& folder) : where_(folder) {
  const std::string single = folder + "/model.safetensors", index = folder + "/model.safetensors.index.json";
  if (is_file(single)) {
    add_shard(single);
    return;
  }
  if (!is_file(index)) {
    if (!is_directory(folder))
      throw Error(Code::file_not_found, "no such folder: " + folder, {{"file", folder}});
    throw Error(Code::file_not_found,
                folder +
                    " holds neither model.safetensors nor model.safetensors.index.json (only safetensors "
                    "weights are read)",
                {{"file", single}});
  }
  const JsonDocument document =
      parse_strict_json(read_small_file(index, kMaxIndex), Code::invalid_weights, index);
  const nlohmann::json& json = document.root();
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (!json.is_object() || map == json.end() || !map->is_object() || map->empty()) {
    throw Error(Code::invalid_weights, index + ": weight_map is missing or empty",
                {{"file", index}, {"field", "weight_map"}});
  }
  std::map<std::string, std::set<std::string>> wanted;  // shard -> tensors
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string() || !is_plain_name(shard.get_ref<const std::string&>())) {
      throw Error(
          Code::invalid_weights,
          index + ": tensor " + presentable(tensor) + " is not mapped to a file name in the same folder",
          {{"file", index}, {"tensor", presentable(tensor)}});
    }
    wanted[shard.get<std::string>()].insert(tensor);
  }
  for (const auto& [shard, tensors] : wanted) {
    add_shard(folder + "/" + shard);
    for (const std::string& tensor : tensors) {
      if (!shards_.back()->tensors().contains(tensor)) {
        throw Error(
            Code::invalid_weights,
            folder + "/" + shard + " lacks tensor " + presentable(tensor) + ", which the index places there",
            {{"file", folder + "/" + shard}, {"tensor", presentable(tensor)}});
      }
    }
  }
}

Checkpoint Checkpoint::single_file(const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.where_ = path;
  checkpoint.add_shard(path);
  return checkpoint;
}

void Checkpoint::add_shard(const std::string& path) {
  shards_.push_back(std::make_unique<Safetensors>(path));
  for (const auto& [tensor, info] : shards_.back()->tensors()) {
    const auto [entry, added] = tensors_.emplace(tensor, info);
    if (!added)
      throw Error(Code::invalid_weights, "tensor " + tensor + " is in two shards, one of them " + path,
                  {{"file", path}, {"tensor", tensor}});
    shard_of_[&entry->second] = shards_.back().get();
  }
}

const TensorInfo* Checkpoint::find(const std::string& tensor) {
  const auto entry = tensors_.find(tensor);
  if (entry == tensors_.end()) return nullptr;
  read_.insert(tensor);
  return &entry->second;
}

const TensorInfo& Checkpoint::require(const std::string& tensor, const std::vector<int64_t>& shape) {
  const TensorInfo* info = find(tensor);
  if (info == nullptr) {
    throw Error(Code::invalid_weights,
                where_ + ": tensor " + tensor + " of shape " + describe(shape) + " is missing",
                {{"file", where_}, {"tensor", tensor}, {"expected", describe(shape)}, {"found", "nothing"}});
  }
  if (info->shape != shape) {
    throw Error(Code::invalid_weights,
                where_ + ": tensor " + tensor + " has shape " + describe(info->shape) +
                    ", the config asks for " + describe(shape),
                {{"file", where_},
                 {"tensor", tensor},
                 {"expected", describe(shape)},
                 {"found", describe(info->shape)}});
  }
  if (info->dtype != DType::f32 && info->dtype != DType::f16 && info->dtype != DType::bf16) {
    throw Error(Code::invalid_weights,
                where_ + ": tensor " + tensor + " has dtype " + std::string(container_name(info->dtype)) +
                    "; F32, F16 or BF16 is expected",
                {{"file", where_},
                 {"tensor", tensor},
                 {"expected", "F32, F16 or BF16"},
                 {"found", std::string(container_name(info->dtype))}});
  }
  return *info;
}

std::vector<std::string> Checkpoint::unread() const {
  std::vector<std::string> names;
  for (const auto& entry : tensors_) {
    if (!read_.contains(entry.first)) names.push_back(entry.first);
  }
  return names;
}

bool Checkpoint::read(const TensorInfo& tensor, size_t first, size_t count, void* out) const {
  return shard_of_.at(&tensor)->file().read(tensor.offset + first, count, out);
}

void Checkpoint::prefetch(const TensorInfo& tensor) const {
  shard_of_.at(&tensor)->file().prefetch(tensor.offset, tensor.bytes);
}

void Checkpoint::require_unchanged() const {
  for (const auto& shard : shards_) shard->file().require_unchanged();
}

bool Checkpoint::same_files(const Checkpoint& other) const {
  if (shards_.size() != other.shards_.size()) return false;
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (!shards_[i]->file().same_file(other.shards_[i]->file())) return false;
  }
  return true;
}

}  // namespace deltascope
