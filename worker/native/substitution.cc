#include "worker/native/substitution.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "files/root_path.h"
#include "worker/native/packages.h"

namespace mbuild::executor {
namespace {

struct stat status_of(int fd) {
  struct stat out;
  if (::fstat(fd, &out) < 0) throw system_error(errno, "stat", ExitClass::host);
  return out;
}

bool is_same(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

std::string command_name(int process) {
  std::string name = read_all(open_at(process, "comm", O_RDONLY).get());
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

}  // namespace

Substitution::Substitution(NativeSource source, int root, std::string scratch)
    : source_(std::move(source)), scratch_(std::move(scratch)), root_(status_of(root)) {}

std::optional<std::uint64_t> Substitution::find(int process, int program) {
  ++started_;
  const Fd file = open_at(process, fmt::format("fd/{}", program), O_PATH);
  const auto status = status_of(file.get());
  const Identity identity{status.st_dev,          status.st_ino,         status.st_size,        status.st_mtim.tv_sec,
                          status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
  auto known = known_.find(identity);
  if (known == known_.end()) {
    std::optional<std::uint64_t> chosen;
    try {
      chosen = choose(process, program, status);
    } catch (const Error&) {
      // It is emulated.
    }
    known = known_.emplace(identity, chosen).first;
  }
  // A program of another root finds no native one there.
  if (!known->second || !is_same(status_of(open_at(process, "root", O_PATH).get()), root_)) return std::nullopt;
  if (!set_->name(*known->second, command_name(process))) return std::nullopt;
  ++native_;
  return known->second;
}

std::optional<std::uint64_t> Substitution::choose(int process, int program, const struct stat& status) {
  const Fd root = open_at(process, "root", O_PATH | O_DIRECTORY);
  const std::string link = read_link(process, fmt::format("fd/{}", program));
  if (!link.starts_with('/')) return std::nullopt;
  const std::string path = resolve_in_root(root.get(), link).path;
  // Seen by that name in the step's own root, and not through a mount of the step or a file that has gone.
  const Fd seen = try_open_resolved(root.get(), path, O_PATH);
  if (!seen || !is_same(status_of(seen.get()), status)) return std::nullopt;
  if (try_open_resolved(root.get(), "etc/ld.so.preload", O_PATH)) return std::nullopt;
  const auto packaged = substitutable(root.get(), path);
  if (!packaged || !is_as_packaged(sibling_root(), path, *packaged)) return std::nullopt;
  if (!set_) set_ = std::make_unique<NativeSet>(source_.directory, duplicate(sibling_root()));
  return set_->add(path);
}

int Substitution::sibling_root() {
  if (!sibling_) sibling_ = mount_snapshot(source_.sibling, scratch_);
  return sibling_.get();
}

}  // namespace mbuild::executor
