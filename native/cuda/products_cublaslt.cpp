#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/errors.h"
#include "cuda/cublaslt_api.h"
#include "cuda/library_folders.h"
#include "cuda/products.h"

namespace deltascope::cuda {
namespace {

constexpr size_t kWorkspace = size_t{32} << 20;  // what cuBLAS advises from Hopper on
constexpr int64_t kTypicalRows = 4096;           // that a product is planned for

void* open_library() {
  std::string tried, why;
  const auto open = [&](const std::string& name) -> void* {
    tried += (tried.empty() ? "" : ", ") + name;
    if (void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    const char* reason = dlerror();
    why = reason == nullptr ? "no reason given" : reason;
    return nullptr;
  };
  const char* named = std::getenv("DELTASCOPE_CUBLASLT");
  if (named != nullptr && *named != '\0') {
    if (void* library = open(named)) return library;
    throw Error(Code::device_unavailable,
                "DELTASCOPE_CUBLASLT names " + std::string(named) + ", which cannot be loaded: " + why,
                {{"field", "DELTASCOPE_CUBLASLT"}, {"found", named}});
  }
  // The version that goes with the runtime first: the other one needs another driver.
  const std::array<std::string, 2> names = CUDART_VERSION >= 13000
                                               ? std::array<std::string, 2>{"libcublasLt.so.13", "libcublasLt.so.12"}
                                               : std::array<std::string, 2>{"libcublasLt.so.12", "libcublasLt.so.13"};
  for (const std::string& name : names) {
    if (void* library = open(name)) return library;
  }
  std::string refused;  // files that are there
  for (const std::string& folder : library_folders()) {
    for (const std::string& name : names) {
      std::error_code ignored;
      const std::string path = folder + "/" + name;
      if (!std::filesystem::exists(path, ignored)) continue;
      if (void* library = open(path)) return library;
      refused += "; " + why;
    }
  }
  throw Error(Code::device_unavailable,
              "cuBLASLt 12 or 13 is needed for CUDA and was not found (tried " + tried + refused +
                  "); DELTASCOPE_CUBLASLT may name libcublasLt.so.13",
              {{"field", "DELTASCOPE_CUBLASLT"}});
}

template <typename Function>
void find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  if (function == nullptr)
    throw Error(Code::device_unavailable, std::string("cuBLASLt has no ") + name, {{"field", "DELTASCOPE_CUBLASLT"}});
}

lt::Functions find_all(void* library) {
  lt::Functions f{};
  find(library, "cublasLtCreate", f.create);
  find(library, "cublasLtDestroy", f.destroy);
  find(library, "cublasLtGetVersion", f.version);
  find(library, "cublasLtMatmulDescCreate", f.desc_create);
  find(library, "cublasLtMatmulDescDestroy", f.desc_destroy);
  find(library, "cublasLtMatmulDescSetAttribute", f.desc_set);
  find(library, "cublasLtMatrixLayoutCreate", f.layout_create);
  find(library, "cublasLtMatrixLayoutDestroy", f.layout_destroy);
  find(library, "cublasLtMatmulPreferenceCreate", f.preference_create);
  find(library, "cublasLtMatmulPreferenceDestroy", f.preference_destroy);
  find(library, "cublasLtMatmulPreferenceSetAttribute", f.preference_set);
  find(library, "cublasLtMatmulAlgoGetHeuristic", f.heuristic);
  find(library, "cublasLtMatmul", f.matmul);
  return f;
}

void check_status(int status, const char* call) {
  if (status == lt::kSuccess) return;
  const std::string message = std::string("[") + call + "] cuBLASLt status " + std::to_string(status);
  if (status == lt::kAllocFailed) throw Error(Code::out_of_memory, message);
  const Error::Details details = {{"field", "device"}, {"found", std::to_string(status)}};
  // The others refuse: nothing was done, and the device is as it was.
  if (status != lt::kMappingError && status != lt::kExecutionFailed && status != lt::kInternalError)
    throw Error(Code::device_unavailable, message, details);
  check(cudaGetLastError(), call);  // the runtime may know what it was
  throw Error(Code::device_lost, message, details);
}

/// Whether the library has no such product, which it may have in another way.
bool is_refusal(int status) {
  return status == lt::kInvalidValue || status == lt::kArchMismatch || status == lt::kNotSupported;
}

/// A descriptor that is given back.
class Owned {
 public:
  explicit Owned(int (*destroy)(lt::Descriptor)) : destroy_(destroy) {}
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (value_ != nullptr) (void)destroy_(value_);
  }
  lt::Descriptor* out() { return &value_; }
  lt::Descriptor get() const { return value_; }

 private:
  int (*destroy_)(lt::Descriptor);
  lt::Descriptor value_ = nullptr;
};

/// Column-major, as cuBLASLt has it: yᵀ [out, rows] = (wᵀ [in, out])ᵀ · xᵀ [in, rows].
struct Described {
  Owned operation, w, x, y;

  Described(const lt::Functions& f, const Product& p, int64_t rows)
      : operation(f.desc_destroy), w(f.layout_destroy), x(f.layout_destroy), y(f.layout_destroy) {
    const int type = p.narrow ? lt::kReal16Brain : lt::kReal32;
    const auto out = static_cast<uint64_t>(p.out), in = static_cast<uint64_t>(p.in), columns = static_cast<uint64_t>(rows);
    check_status(f.desc_create(operation.out(), lt::kCompute32, lt::kReal32), "cublasLtMatmulDescCreate");
    const int32_t transposed = lt::kTransposed;
    check_status(f.desc_set(operation.get(), lt::kDescTransA, &transposed, sizeof(transposed)), "cublasLtMatmulDescSetAttribute");
    check_status(f.layout_create(w.out(), type, in, out, p.in), "cublasLtMatrixLayoutCreate");
    check_status(f.layout_create(x.out(), type, in, columns, p.in), "cublasLtMatrixLayoutCreate");
    check_status(f.layout_create(y.out(), lt::kReal32, out, columns, p.y_stride), "cublasLtMatrixLayoutCreate");
  }
};

/// The largest power of two up to 256 that divides an address.
uint32_t alignment_of(const void* pointer) {
  const auto address = reinterpret_cast<uintptr_t>(pointer) | 256;
  return static_cast<uint32_t>(address & -address);
}

}  // namespace

struct Products::Library {
  lt::Functions functions{};
  lt::Handle handle = nullptr;
  DeviceBytes workspace;
  std::mutex mutex;
  // By out, in, y_stride, narrow, and the alignments of x, w, y: how the product is computed, whatever its rows.
  std::map<std::array<int64_t, 7>, lt::Algorithm> algorithms;
  std::map<std::array<int64_t, 8>, lt::Algorithm> by_rows;  // the same and rows, where that one was refused

  ~Library() {
    if (handle != nullptr) (void)functions.destroy(handle);
  }

  lt::Algorithm choose(const Product& p, const std::array<uint32_t, 4>& alignments, int64_t rows) {
    const Described described(functions, p, rows);
    Owned preference(functions.preference_destroy);
    check_status(functions.preference_create(preference.out()), "cublasLtMatmulPreferenceCreate");
    const auto prefer = [&](int attribute, const auto& value) {
      check_status(functions.preference_set(preference.get(), attribute, &value, sizeof(value)),
                   "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(lt::kPreferWorkspace, uint64_t{kWorkspace});
    prefer(lt::kPreferReduction, uint32_t{0});  // a sum is not split over blocks
    for (size_t i = 0; i < 4; ++i) prefer(lt::kPreferAlignment[i], alignments[i]);
    lt::Heuristic best{};
    int found = 0;
    const int status = functions.heuristic(handle, described.operation.get(), described.w.get(), described.x.get(),
                                           described.y.get(), described.y.get(), preference.get(), 1, &best, &found);
    if (!is_refusal(status)) check_status(status, "cublasLtMatmulAlgoGetHeuristic");
    if (found == 0 || best.status != lt::kSuccess) {
      throw Error(Code::device_unavailable,
                  "cuBLASLt has no product of [" + std::to_string(p.out) + ", " + std::to_string(p.in) + "] here",
                  {{"field", "device"}});
    }
    return best.algorithm;
  }

  int run(const Product& p, const lt::Algorithm& algorithm, cudaStream_t stream) {
    const Described described(functions, p, p.rows);
    const float beta = p.adds ? 1.0f : 0.0f;
    return functions.matmul(handle, described.operation.get(), &p.scale, p.w, described.w.get(), p.x, described.x.get(), &beta,
                            p.y, described.y.get(), p.y, described.y.get(), &algorithm, workspace.as<void>(), kWorkspace, stream);
  }
};

Products::Products() : library_(std::make_unique<Library>()) {
  library_->functions = find_all(open_library());
  check_status(library_->functions.create(&library_->handle), "cublasLtCreate");
  library_->workspace.reserve(static_cast<int64_t>(kWorkspace));
}

Products::~Products() = default;

void Products::multiply(const Product& p, cudaStream_t stream) {
  if (p.rows == 0 || p.out == 0) return;
  const std::array<uint32_t, 4> alignments = {alignment_of(p.w), alignment_of(p.x), alignment_of(p.y), alignment_of(p.y)};
  const std::array<int64_t, 7> key = {p.out, p.in, p.y_stride, p.narrow, alignments[0], alignments[1], alignments[2]};
  const std::lock_guard lock(library_->mutex);
  auto found = library_->algorithms.find(key);
  if (found == library_->algorithms.end())
    found = library_->algorithms.emplace(key, library_->choose(p, alignments, kTypicalRows)).first;
  const std::array<int64_t, 8> with_rows = {key[0], key[1], key[2], key[3], key[4], key[5], key[6], p.rows};
  auto own = library_->by_rows.find(with_rows);
  if (own == library_->by_rows.end()) {
    const int status = library_->run(p, found->second, stream);
    if (!is_refusal(status)) return check_status(status, "cublasLtMatmul");
    // Never seen; right all the same, though its bits may then depend on the rows.
    own = library_->by_rows.emplace(with_rows, library_->choose(p, alignments, p.rows)).first;
  }
  check_status(library_->run(p, own->second, stream), "cublasLtMatmul");
}

}  // namespace deltascope::cuda
