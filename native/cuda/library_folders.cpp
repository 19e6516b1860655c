#include "cuda/library_folders.h"

#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace deltascope::cuda {

std::vector<std::string> library_folders() {
  std::vector<std::string> folders;
  const auto add_matches = [&](const std::filesystem::path& root, const char* prefix, const char* below) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(root, ignored)) {
      if (entry.path().filename().string().starts_with(prefix)) folders.push_back(entry.path() / below);
    }
  };
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH", "CONDA_PREFIX"}) {
    if (const char* home = std::getenv(variable)) {
      folders.push_back(std::string(home) + "/lib64");
      folders.push_back(std::string(home) + "/lib");
    }
  }
  std::vector<std::string> prefixes;
  for (const char* variable : {"CONDA_PREFIX", "VIRTUAL_ENV"}) {
    if (const char* prefix = std::getenv(variable)) prefixes.insert(prefixes.begin(), prefix);
  }
  const char* path = std::getenv("PATH");
  std::istringstream programs(path == nullptr ? "" : path);
  for (std::string folder; std::getline(programs, folder, ':');) {
    const std::filesystem::path python = folder + "/python3";
    std::error_code ignored;
    if (std::filesystem::exists(python, ignored)) prefixes.push_back(python.parent_path().parent_path());
  }
  prefixes.insert(prefixes.end(), {"/usr/local", "/usr", "/opt/conda"});
  if (const char* home = std::getenv("HOME")) prefixes.push_back(std::string(home) + "/.local");
  for (const std::string& prefix : prefixes) {
    for (const char* packages : {"site-packages", "dist-packages"}) {
      for (const char* package : {"nvidia/cublas/lib", "nvidia/cu13/lib"})
        add_matches(prefix + "/lib", "python3", (std::string(packages) + "/" + package).c_str());
    }
  }
  add_matches("/usr/local", "cuda", "lib64");
  for (const char* folder : {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"}) folders.push_back(folder);
  return folders;
}

}  // namespace deltascope::cuda
