#include "base/growing_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/error.h"

namespace mbuild::executor {
namespace {

constexpr std::chrono::milliseconds k_look_again{20};  // how long the file may grow unseen

}  // namespace

GrowingFile::GrowingFile(const std::string& path) : file_(open_file(path, O_RDONLY)) {}

void GrowingFile::complete() {
  const std::lock_guard lock(mutex_);
  complete_ = true;
  changed_.notify_all();
}

void GrowingFile::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  changed_.notify_all();
}

std::uint64_t GrowingFile::size() const {
  struct stat status;
  if (::fstat(file_.get(), &status) < 0) throw system_error(errno, "stat of a blob");
  return static_cast<std::uint64_t>(status.st_size);
}

bool GrowingFile::wait_for(std::uint64_t count) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const bool complete = complete_;
    if (abandoned_) return false;
    if (size() > count) return true;
    if (complete) return false;
    changed_.wait_for(lock, k_look_again);
  }
}

std::size_t GrowingFile::read(char* into, std::size_t room, std::uint64_t offset) {
  if (!wait_for(offset)) {
    const std::lock_guard lock(mutex_);
    if (abandoned_) throw Cancelled();
    return 0;
  }
  ssize_t n;
  do n = ::pread(file_.get(), into, room, static_cast<off_t>(offset));
  while (n < 0 && errno == EINTR);
  if (n < 0) throw system_error(errno, "read a blob");
  return static_cast<std::size_t>(n);
}

}  // namespace mbuild::executor
