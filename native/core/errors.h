#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace deltascope {

/// What went wrong, as a stable word. The binding hands it to JavaScript as `error.code`; users branch on it,
/// so a value is never renamed.
enum class Code {
  invalid_argument,     // the call: a layer out of range, an empty batch, a token id beyond the vocabulary
  file_not_found,       // a file or folder that should be there is not
  file_unreadable,      // it is there and the system refuses it
  file_changed,         // it was written to while it was open
  invalid_safetensors,  // a safetensors file breaks its format
  invalid_config,       // config.json: a field missing, of the wrong type, or out of range
  invalid_weights,      // tensors missing, left unread, or of another shape than the config says
  invalid_adapter,      // adapter_config.json or its tensors do not fit the base
  adapter_inert,        // a LoRA that changes nothing
  model_unsupported,    // a family, or a setting that changes the maths, that is not implemented
  pair_mismatch,        // base and finetuned cannot be subtracted
  device_unavailable,   // there is no such device, or a library of its is missing
  device_lost,          // the device failed in a way that only a new process gets over
  out_of_memory,
  cancelled,
};

/// The word behind a code, e.g. "INVALID_CONFIG".
const char* name(Code code);

/// Every failure the engine reports. `details` are (name, value) pairs for programs: file, field, tensor,
/// expected, found.
class Error : public std::runtime_error {
 public:
  using Details = std::vector<std::pair<std::string, std::string>>;

  Error(Code code, const std::string& message, Details details = {})
      : std::runtime_error(message), code_(code), details_(std::move(details)) {}

  Code code() const noexcept { return code_; }
  const Details& details() const noexcept { return details_; }

 private:
  Code code_;
  Details details_;
};

}  // namespace deltascope
