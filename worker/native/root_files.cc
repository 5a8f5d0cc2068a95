#include "worker/native/root_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "files/root_path.h"

namespace mbuild::executor {

Fd open_sane(int root, const std::string& path) {
  constexpr off_t k_largest = off_t{256} << 20;
  Fd file = try_open_resolved(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status;
  if (!file || ::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > k_largest) return {};
  return file;
}

std::string read_sane(int root, const std::string& path) {
  const Fd file = open_sane(root, path);
  return file ? read_all(file.get()) : "";
}

}  // namespace mbuild::executor
