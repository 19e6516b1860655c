#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/job.h"
#include "models/model.h"

namespace deltascope {

/// Where an adapter first shows on a few tokens: the proof that it is alive.
struct Canary {
  std::string moved_at;        // "embedding", "layer 3", "head"
  double relative_change = 0;  // ‖adapted − base‖ / ‖base‖ there, over all its tokens
};

struct OpenedModel {
  std::shared_ptr<const Model> model;
  std::optional<Canary> canary;  // with an adapter
};

/// Opens a model; with an adapter, pushes a few tokens through base and adapted model until they differ. That costs the
/// blocks up to the first one that the adapter touches, usually one. Throws what Model throws, ADAPTER_INERT when
/// nothing moves up to the last block it touches (and the head, where it touches that), CANCELLED.
OpenedModel open_model(const std::string& folder, const std::string& adapter, Precision precision, Job& job,
                       const std::shared_ptr<const Backend>& backend = host_backend());

}  // namespace deltascope
