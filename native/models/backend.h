#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/device.h"

namespace deltascope {

class Model;
class TextBlocks;
class TreeBlocks;
class Unembedding;

/// Where models are computed: what it makes does the work, in its own memory. Shared code asks for these objects and never
/// which device is behind them. Any number of threads may use one backend.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual const Device& device() const = 0;

  /// Decoder blocks over whole trees. models: one, or a pair; they outlive it.
  virtual std::unique_ptr<TreeBlocks> tree_blocks(std::vector<const Model*> models) const = 0;

  /// Decoder blocks over texts that grow. weights_budget: bytes of weights that stay in memory.
  virtual std::unique_ptr<TextBlocks> text_blocks(const Model& model, int64_t weights_budget) const = 0;

  /// What a budget for generating texts is counted in, where the caller's is for the host: the caller's, or what is free here.
  virtual int64_t text_budget(int64_t asked) const = 0;

  /// The final norm and unembedding of a model, which outlives it.
  virtual std::unique_ptr<Unembedding> unembedding(const Model& model) const = 0;
};

/// The processor; every machine has it.
std::shared_ptr<const Backend> host_backend();

/// The first CUDA device. Defined by cuda/, or by no_cuda/ in a build without it. Throws DEVICE_UNAVAILABLE where there is
/// none, or its libraries are not found.
std::shared_ptr<const Backend> cuda_backend();

/// "cpu"; "cuda"; "auto": CUDA where it can be used, else the processor. Throws DEVICE_UNAVAILABLE.
std::shared_ptr<const Backend> open_backend(const std::string& device);

}  // namespace deltascope
