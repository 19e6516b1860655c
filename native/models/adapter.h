#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/job.h"
#include "format/checkpoint.h"
#include "models/adapter_config.h"
#include "models/model_spec.h"
#include "models/weight.h"

namespace deltascope {

/// A module's low-rank update: W x becomes W x + scale · B (A x). Of a fused module each role has its rows of B.
struct LowRank {
  int64_t rank = 0;
  float scale = 0;
  PackedMatrix a;  // [rank, in], float32
  PackedMatrix b;  // [out, rank]
};

/// The same for an embedding: row t becomes E[t] + scale · B A[t].
struct EmbeddingUpdate {
  int64_t rank = 0;
  float scale = 0;
  std::vector<float> a;  // [vocabulary, rank]
  std::vector<float> b;  // [d_model, rank]
};

/// What an adapter does to one module.
struct AdaptedModule {
  std::string name;       // "layers.3.self_attn.q_proj", "lm_head"
  double change = 0;      // Frobenius norm of scale · B A, or of new − old
  bool replaced = false;  // its weight is another (modules_to_save), not updated
};

/// A tensor of the adapter's file that takes the place of one of the base's.
struct Replacement {
  std::string name;  // in the adapter's file
  const TensorInfo* tensor;
};

/// A PEFT LoRA of the ordinary kind (Hu et al. 2021, arXiv 2106.09685; rsLoRA: Kalajdzievski 2023, arXiv
/// 2312.03732), read from adapter_config.json and adapter_model.safetensors, with the tensors that it replaces as a
/// whole. Every tensor of the file is used, or opening fails.
class Adapter {
 public:
  /// prefix: where the decoder's tensors stand in the base checkpoint. job: throws CANCELLED within milliseconds of its flag.
  /// Throws FILE_NOT_FOUND, INVALID_ADAPTER (a field or tensor that does not fit the base), MODEL_UNSUPPORTED
  /// (another kind of PEFT, by name).
  Adapter(const std::string& folder, const ModelSpec& spec, const std::string& prefix, const Job& job = Job());

  /// The update of one role's rows; null when the adapter leaves it alone. expert: −1 for the block's own.
  const LowRank* find(int64_t layer, Role role, int64_t expert = -1) const;
  const LowRank* head() const { return head_.get(); }
  const EmbeddingUpdate* embedding() const { return embedding_.get(); }

  /// The tensor that takes the place of the base's tensor of this name; nothing when it stays. The head of a
  /// tied model is asked for by its own name.
  Weight replacement(const std::string& tensor) const;
  const std::map<std::string, Replacement>& replacements() const { return replacements_; }
  const Checkpoint& file() const { return *file_; }

  /// Notes what replacing a tensor changes: ‖new − old‖.
  void add_replaced(const std::string& module, double change) { modules_.push_back({module, change, true}); }
  const std::vector<AdaptedModule>& modules() const { return modules_; }
  const AdapterConfig& config() const { return config_; }
  /// Weights in the file.
  int64_t parameters() const { return parameters_; }
  /// Largest rank of all updates.
  int64_t max_rank() const { return max_rank_; }
  /// Modules of other parts of a larger model (its vision tower) that were passed over.
  int64_t foreign_tensors() const { return static_cast<int64_t>(foreign_tensors_.size()); }

  /// The first block that an update or a replacement touches, and the last; first > last when none is.
  int64_t first_layer() const { return first_layer_; }
  int64_t last_layer() const { return last_layer_; }

  /// Whether a tensor inside a block is replaced: the block's weights are then not the base's.
  bool replaces_in_blocks() const { return replaces_in_blocks_; }

 private:
  struct Reader;

  AdapterConfig config_;
  std::unique_ptr<Checkpoint> file_;
  std::map<std::array<int64_t, 3>, LowRank> updates_;  // (layer, role, expert)
  std::unique_ptr<LowRank> head_;
  std::unique_ptr<EmbeddingUpdate> embedding_;
  std::map<std::string, Replacement> replacements_;
  std::vector<AdaptedModule> modules_;
  std::vector<std::string> foreign_tensors_;
  int64_t parameters_ = 0, max_rank_ = 0;
  int64_t first_layer_ = INT64_MAX, last_layer_ = -1;
  bool replaces_in_blocks_ = false;
};

}  // namespace deltascope
