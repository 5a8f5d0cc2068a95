#pragma once

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "base/error.h"

namespace mbuild {

// A new directory PARENT/NAME-XXXXXX that goes with the object, and all it holds.
class ScratchDirectory {
 public:
  // Throws Error (store).
  ScratchDirectory(const std::string& parent, std::string_view name)
      : path_(parent + "/" + std::string(name) + "-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) throw system_error(errno, "mkdtemp " + path_);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace mbuild
