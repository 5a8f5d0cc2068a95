#include "worker/native/process_status.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdlib>

#include "base/fd.h"

namespace mbuild::executor {

std::string process_status(int process) { return read_all(open_at(process, "status", O_RDONLY).get()); }

std::optional<std::uint64_t> status_field(const std::string& status, std::string_view name) {
  const auto at = status.find(fmt::format("\n{}:\t", name));
  if (at == status.npos) return std::nullopt;
  return std::strtoull(status.c_str() + at + name.size() + 3, nullptr, 16);
}

}  // namespace mbuild::executor
