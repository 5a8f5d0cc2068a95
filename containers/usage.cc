#include "containers/usage.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <string>

#include "base/strings.h"
#include "base/try_read_file.h"
#include "containers/exec.h"

namespace mbuild::containers {
namespace {

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> out;
  for (auto& word : split(line, ' ')) {
    if (!word.empty()) out.push_back(std::move(word));
  }
  return out;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

// The number behind a name at the beginning of a line: "Pss:    12 kB".
std::uint64_t figure(const std::string& text, std::string_view name) {
  for (const auto& line : split(text, '\n')) {
    if (line.starts_with(name)) return number(trim(std::string_view(line).substr(name.size())));
  }
  return 0;
}

double cpu_seconds(const std::string& directory) {
  constexpr std::size_t k_user = 11, k_system = 12;  // of the fields after the name
  const std::string text = try_read_file(directory + "/stat");
  const auto end = text.rfind(')');
  if (end == std::string::npos) return 0;
  const auto fields = words_of(std::string_view(text).substr(end + 1));
  if (fields.size() <= k_system) return 0;
  return static_cast<double>(number(fields[k_user]) + number(fields[k_system])) /
         static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void add_network(const std::string& directory, Usage& usage) {
  constexpr std::size_t k_received = 0, k_sent = 8;
  for (const auto& line : split(try_read_file(directory + "/net/dev"), '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || trim(std::string_view(line).substr(0, colon)) == "lo") continue;
    const auto fields = words_of(std::string_view(line).substr(colon + 1));
    if (fields.size() <= k_sent) continue;
    usage.received += number(fields[k_received]);
    usage.sent += number(fields[k_sent]);
  }
}

bool has_own_network(const std::string& directory) {
  std::error_code none;
  const auto own = std::filesystem::read_symlink("/proc/self/ns/net", none);
  const auto its = std::filesystem::read_symlink(directory + "/ns/net", none);
  return !none && own != its;
}

}  // namespace

Usage usage_of(const Container& container) {
  Usage out;
  for (const auto& process : processes_of(container)) {
    const std::string directory = fmt::format("/proc/{}", process.number);
    ++out.processes;
    out.cpu_seconds += cpu_seconds(directory);
    const std::string memory = try_read_file(directory + "/smaps_rollup");
    out.memory +=
        1024 * (memory.empty() ? figure(try_read_file(directory + "/status"), "VmRSS:") : figure(memory, "Pss:"));
    const std::string disks = try_read_file(directory + "/io");
    out.read += figure(disks, "read_bytes:");
    out.written += figure(disks, "write_bytes:");
  }
  const std::string first = fmt::format("/proc/{}", container.running->process);
  if (has_own_network(first)) add_network(first, out);
  return out;
}

std::uint64_t written_bytes(const Container& container) {
  using std::filesystem::directory_options;
  std::error_code failed;
  std::uint64_t out = 0;
  std::filesystem::recursive_directory_iterator at(container.directory + "/root/upper",
                                                   directory_options::skip_permission_denied, failed);
  for (; !failed && at != std::filesystem::recursive_directory_iterator(); at.increment(failed)) {
    struct stat status;
    const bool is_file = ::lstat(at->path().c_str(), &status) == 0 && S_ISREG(status.st_mode);
    if (is_file) out += static_cast<std::uint64_t>(status.st_size);
  }
  return out;
}

std::uint64_t total_memory() { return 1024 * figure(try_read_file("/proc/meminfo"), "MemTotal:"); }

}  // namespace mbuild::containers
