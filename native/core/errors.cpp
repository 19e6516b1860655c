#include "core/errors.h"

namespace deltascope {

const char* name(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return "INVALID_ARGUMENT";
    case Code::file_not_found:
      return "FILE_NOT_FOUND";
    case Code::file_unreadable:
      return "FILE_UNREADABLE";
    case Code::file_changed:
      return "FILE_CHANGED";
    case Code::invalid_safetensors:
      return "INVALID_SAFETENSORS";
    case Code::invalid_config:
      return "INVALID_CONFIG";
    case Code::invalid_weights:
      return "INVALID_WEIGHTS";
    case Code::invalid_adapter:
      return "INVALID_ADAPTER";
    case Code::adapter_inert:
      return "ADAPTER_INERT";
    case Code::model_unsupported:
      return "MODEL_UNSUPPORTED";
    case Code::pair_mismatch:
      return "PAIR_MISMATCH";
    case Code::device_unavailable:
      return "DEVICE_UNAVAILABLE";
    case Code::device_lost:
      return "DEVICE_LOST";
    case Code::out_of_memory:
      return "OUT_OF_MEMORY";
    case Code::cancelled:
      return "CANCELLED";
  }
  return "INTERNAL";
}

}  // namespace deltascope
