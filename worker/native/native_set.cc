#include "worker/native/native_set.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "emu/accel/piece/protocol.h"
#include "files/root_path.h"
#include "worker/native/architecture.h"
#include "worker/native/linking.h"
#include "worker/native/loader_cache.h"
#include "worker/native/root_files.h"

namespace mbuild::executor {
namespace {

constexpr std::size_t k_most_names = 4096;
constexpr const char* k_converts = "iconv_open";  // a symbol of who converts

#if defined(__aarch64__)
constexpr const char* k_library_directories[] = {
    "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
    "/usr/local/lib"};
#else
constexpr const char* k_library_directories[] = {
    "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"};
#endif

Error unusable(const std::string& path, std::string_view why) {
  return Error(ExitClass::host, fmt::format("{} has no native use: {}", path, why));
}

void write_program(const std::string& path, std::string_view bytes) {
  const Fd file = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0755);
  write_all(file.get(), bytes);
  ::fchmod(file.get(), 0755);
}

// Puts another path, which is no longer, in the place of one that the loader has compiled in.
bool replace_path(std::string& bytes, std::string_view path, std::string_view by) {
  const std::string old = std::string(path) + '\0';
  const auto at = bytes.find(old);
  if (at == bytes.npos) return false;
  std::string fresh(by);
  fresh.resize(path.size(), '\0');
  bytes.replace(at, path.size(), fresh);
  return true;
}

std::string expand_origin(std::string directory, const std::string& origin) {
  for (const char* name : {"$ORIGIN", "${ORIGIN}"}) {
    const auto at = directory.find(name);
    if (at != directory.npos) directory.replace(at, std::string_view(name).size(), "/" + origin);
  }
  return directory;
}

}  // namespace

NativeSet::NativeSet(std::string directory, Fd root, std::string part, std::uint64_t first)
    : directory_(std::move(directory)),
      own_(part.empty() ? directory_ : join_path(directory_, part)),
      shown_(part.empty() ? MBUILD_ACCEL_PLACE : MBUILD_ACCEL_PLACE "/" + part),
      first_(first),
      root_(std::move(root)) {
  for (const auto& path : {directory_ + "/p", own_ + "/l"}) make_directories(path, 0755);
}

std::uint64_t NativeSet::add(const std::string& path, const Edit& edit) {
  if (const auto known = programs_.find(path); known != programs_.end()) return known->second;
  std::string bytes = read_sane(root_.get(), path);
  const auto linking = read_linking(bytes);
  if (!linking) throw unusable(path, "it is no program of this host");
  if (!linking->interpreter.empty()) {
    take_loader(linking->interpreter);
    take_libraries(linking->needed, linking->run_path, resolved_parent(path));
    write_cache();
  }
  const auto number = first_ + programs_.size();
  const std::string place = fmt::format("{}/p/{}", directory_, number);
  make_directories(place, 0755);
  if (bytes.contains(k_converts)) converting_.insert(number);
  bytes = relinked(std::move(bytes), *linking, shown_ + "/ld");
  write_program(join_path(place, resolved_name(path)), edit ? edit(std::move(bytes)) : bytes);
  programs_.emplace(path, number);
  return number;
}

void NativeSet::add_library(const std::string& path, const std::string& name) {
  const std::string place = join_path(directory_, name);
  if (path_exists(place)) return;
  std::string bytes = read_sane(root_.get(), path);
  const auto linking = read_linking(bytes);
  if (!linking) throw unusable(path, "it is no library of this host");
  take_libraries(linking->needed, linking->run_path, resolved_parent(path));
  write_cache();
  write_program(place, relinked(std::move(bytes), *linking, ""));
}

bool NativeSet::name(std::uint64_t number, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos) return false;
  for (const auto& [path, one] : programs_) {
    if (one != number) continue;
    const std::string program = resolved_name(path);
    if (name == program) return true;
    const std::string link = fmt::format("{}/p/{}/{}", directory_, number, name);
    if (::access(link.c_str(), F_OK) == 0) return true;
    return names_++ < k_most_names && ::symlink(program.c_str(), link.c_str()) == 0;
  }
  return false;
}

void NativeSet::take_loader(const std::string& interpreter) {
  const std::string path = resolve_in_root(root_.get(), interpreter).path;
  if (path == loader_) return;
  if (!loader_.empty()) throw unusable(interpreter, "another loader than that of other programs");
  std::string bytes = read_sane(root_.get(), path);
  is_musl_ = replace_path(bytes, "/lib:/usr/local/lib:/usr/lib", shown_ + "/l");
  const bool is_glibc = replace_path(bytes, "/etc/ld.so.cache", shown_ + "/c");
  if (!resolved_name(path).starts_with("ld-") || interpreter.size() < shown_.size() + 3 || is_musl_ == is_glibc) {
    throw unusable(interpreter, "the loader is neither glibc's nor musl's");
  }
  replace_path(bytes, "/etc/ld.so.preload", MBUILD_ACCEL_PLACE "/-");
  write_program(join_path(own_, "ld"), bytes);
  loader_ = path;
}

std::string NativeSet::find_library(const std::string& name, const std::string& run_path,
                                    const std::string& origin) const {
  std::vector<std::string> directories;
  for (const auto& one : split(run_path, ':')) directories.push_back(expand_origin(one, origin));
  directories.insert(directories.end(), std::begin(k_library_directories), std::end(k_library_directories));
  for (const auto& directory : directories) {
    if (directory.empty()) continue;
    const auto found = resolve_in_root(root_.get(), join_path(directory, name));
    if (found.status && S_ISREG(found.status->st_mode)) return found.path;
  }
  throw unusable(name, "the library is missing");
}

void NativeSet::take_libraries(const std::vector<std::string>& names, const std::string& run_path,
                               const std::string& origin) {
  for (const auto& name : names) {
    if (libraries_.contains(name)) continue;
    const std::string path = find_library(name, run_path, origin);
    if (path == loader_) {
      libraries_[name] = shown_ + "/ld";
      continue;
    }
    std::string bytes = read_sane(root_.get(), path);
    const auto linking = read_linking(bytes);
    if (!linking) throw unusable(name, "it is no library of this host");
    const std::string file = is_musl_ ? resolved_name(name) : std::to_string(libraries_.size());
    if (name == "libc.so.6") {
      has_own_services_ = bytes.contains("GLIBC_2.34");
      bytes = with_own_conversions(std::move(bytes));
    }
    if (name.starts_with("libapt-pkg.so.")) apt_takes_architecture_ = takes_architecture(bytes);
    Linking own = *linking;
    own.interpreter.clear();  // libc can be executed, and need not be
    write_program(fmt::format("{}/l/{}", own_, file), relinked(std::move(bytes), own, ""));
    libraries_[name] = shown_ + "/l/" + file;
    take_libraries(linking->needed, linking->run_path, resolved_parent(path));
  }
}

// The directory stands in libc as a text, and before the name of a cache of what is there, which is not taken along: it
// has paths, too.
std::string NativeSet::with_own_conversions(std::string libc) {
  constexpr std::string_view k_tail = "/gconv";
  const auto end = libc.find(std::string(k_tail) + '\0');
  if (end == libc.npos) return libc;
  const auto begin = libc.rfind('\0', end) + 1;
  conversions_ = libc.substr(begin, end + k_tail.size() - begin);
  const std::string own = shown_ + "/g";
  if (own.size() > conversions_.size()) throw unusable("libc.so.6", "its conversions have a short path");
  replace_path(libc, conversions_ + "/gconv-modules.cache", own + "/-");
  replace_path(libc, conversions_, own);
  return libc;
}

void NativeSet::add_conversions() {
  if (std::exchange(has_conversions_, true)) return;
  for (const std::string part : {"", "gconv-modules.d"}) {
    const auto from = resolve_in_root(root_.get(), join_path(conversions_, part));
    if (conversions_.empty() || !from.is_directory()) continue;
    const Fd directory = open_resolved(root_.get(), from.path, O_RDONLY | O_DIRECTORY);
    const std::string to = join_path(own_ + "/g", part);
    make_directories(to, 0755);
    for (const auto& name : sorted_names(directory.get())) {
      const Fd file = open_sane(root_.get(), join_resolved(from.path, name));
      if (file && name != "gconv-modules.cache") write_program(join_path(to, name), read_all(file.get()));
    }
  }
}

bool NativeSet::add_service(const std::string& service) {
  const auto [known, is_new] = services_.try_emplace(service, false);
  if (is_new) {
    try {
      take_libraries({"libnss_" + service + ".so.2"}, "", "");
      write_cache();
      known->second = true;
    } catch (const Error&) {
      // It is not there, or is of no use.
    }
  }
  return known->second;
}

void NativeSet::write_cache() { write_file_atomically(join_path(own_, "c"), loader_cache(libraries_), 0644); }

}  // namespace mbuild::executor
