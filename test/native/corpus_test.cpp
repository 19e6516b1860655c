// Every input that a fuzzer has kept, through the fuzzer's own target.
#include <algorithm>

#include "../fuzz/target.h"
#include "support.h"

using namespace deltascope;
using namespace deltascope::test;

namespace {

/// The bytes of each file, by name.
std::map<std::string, std::string> corpus(const std::string& target) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(CORPUS) + "/" + target))
    files.emplace(entry.path().filename().string(), read_file(entry.path().string()));
  return files;
}

}  // namespace

TEST_CASE("what the fuzzers have kept is refused by name or read as promised") {
  const std::vector<std::pair<std::string, void (*)(std::string_view)>> targets = {
      {"safetensors", fuzz::safetensors}, {"config", fuzz::config}, {"adapter", fuzz::adapter}};
  for (const auto& [target, run] : targets) {
    const auto files = corpus(target);
    CHECK(files.size() > 20);
    for (const auto& [file, bytes] : files) {
      CAPTURE(target);
      CAPTURE(file);
      CHECK_NOTHROW(run(bytes));
    }
  }
}
