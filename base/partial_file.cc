#include "base/partial_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/digest.h"
#include "base/error.h"

namespace mbuild {

PartialFile::PartialFile(std::string path, unsigned mode)
    : path_(std::move(path)),
      partial_(fmt::format("{}.{}.partial", path_, random_hex(4))),
      fd_(open_file(partial_, O_RDWR | O_CREAT | O_EXCL, mode)) {}

PartialFile::~PartialFile() {
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

void PartialFile::start_again() {
  if (::ftruncate(fd_.get(), 0) < 0 || ::lseek(fd_.get(), 0, SEEK_SET) < 0) {
    throw system_error(errno, "start again with " + partial_);
  }
}

void PartialFile::commit() {
  if (::rename(partial_.c_str(), path_.c_str()) < 0) throw system_error(errno, "rename to " + path_);
  partial_.clear();
}

void write_file_atomically(const std::string& path, std::string_view content, unsigned mode) {
  PartialFile file(path, mode);
  write_all(file.fd(), content);
  file.commit();
}

}  // namespace mbuild
