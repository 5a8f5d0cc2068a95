#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/digest.h"
#include "platforms/platform.h"

namespace mbuild::containers {

struct ImportOptions {
  std::string name;     // of the image; "": it has none
  std::string message;  // what its history says
  std::vector<std::string> changes;
  platforms::Platform platform;
};

// Keeps an image of one layer, which is the tar at `in` (bare, or compressed with gzip or zstd); its configuration is
// what the changes say. Returns the digest of its manifest. Throws Error (usage) where it is no tar.
Digest import_files(const std::string& store_root, int in, const ImportOptions& options, const std::stop_token& stop);

}  // namespace mbuild::containers
