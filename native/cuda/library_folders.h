#pragma once

#include <string>
#include <vector>

namespace deltascope::cuda {

/// Where the toolkit, conda, and pip beside any Python on the path put CUDA's libraries, apart from the loader's own folders; the
/// likeliest first. Not all are there.
std::vector<std::string> library_folders();

}  // namespace deltascope::cuda
