#include "readings/pair.h"

#include <string>

#include "core/errors.h"

namespace deltascope {

void require_built_alike(const Model& base, const Model& other) {
  const ModelSpec &b = base.spec(), &o = other.spec();
  const auto check = [&](const char* what, int64_t expected, int64_t found) {
    if (expected == found) return;
    throw Error(Code::pair_mismatch,
                "the models are not built alike: " + std::string(what) + " is " + std::to_string(expected) + " in " +
                    b.architecture + " and " + std::to_string(found) + " in " + o.architecture,
                {{"field", what}, {"expected", std::to_string(expected)}, {"found", std::to_string(found)}});
  };
  check("layers", b.layers, o.layers);
  check("d_model", b.d_model, o.d_model);
  check("d_mlp", b.d_mlp, o.d_mlp);
  check("heads", b.heads, o.heads);
  check("kv_heads", b.kv_heads, o.kv_heads);
  check("head_dim", b.head_dim, o.head_dim);
  check("experts", b.experts, o.experts);
  check("the norm", static_cast<int64_t>(b.norm), static_cast<int64_t>(o.norm));
  check("the norm of queries and keys", static_cast<int64_t>(b.qk_norm), static_cast<int64_t>(o.qk_norm));
  check("the activation", static_cast<int64_t>(b.activation), static_cast<int64_t>(o.activation));
}

}  // namespace deltascope
