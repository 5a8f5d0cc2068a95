#include "worker/sandbox/process_memory.h"

#include <sys/uio.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace mbuild::executor {

// Page by page, as what follows it may not be mapped.
std::optional<std::string> read_string(pid_t pid, std::uint64_t address) {
  std::string out;
  while (out.size() < PATH_MAX) {
    char buffer[256];
    const std::size_t room = std::min<std::size_t>(sizeof buffer, 4096 - (address + out.size()) % 4096);
    iovec local = {buffer, room};
    iovec remote = {reinterpret_cast<void*>(address + out.size()), room};
    const ssize_t n = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
    if (n <= 0) return std::nullopt;
    const auto size = static_cast<std::size_t>(n);
    const void* end = std::memchr(buffer, 0, size);
    out.append(buffer, end != nullptr ? static_cast<std::size_t>(static_cast<const char*>(end) - buffer) : size);
    if (end != nullptr) return out;
  }
  return std::nullopt;
}

bool read_memory(pid_t pid, std::uint64_t address, void* out, std::size_t size) {
  iovec local = {out, size};
  iovec remote = {reinterpret_cast<void*>(address), size};
  return ::process_vm_readv(pid, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

}  // namespace mbuild::executor
