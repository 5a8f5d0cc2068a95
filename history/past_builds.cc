#include "history/past_builds.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <memory>

#include "base/digest.h"
#include "base/error.h"
#include "base/own_directory.h"
#include "base/strings.h"
#include "cache/store_directory.h"

namespace mbuild::history {
namespace {

constexpr std::string_view k_ending = ".jsonl";
constexpr std::size_t k_time_digits = 13;  // milliseconds since 1970, until the year 2286

std::string directory_of(const std::string& store_root) { return store_root + "/history"; }

std::vector<std::string> record_paths(const std::string& store_root) {
  std::vector<std::string> paths;
  const std::string directory = directory_of(store_root);
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(directory.c_str()), ::closedir);
  if (!opened) return paths;
  while (const dirent* entry = ::readdir(opened.get())) {
    if (const std::string_view name = entry->d_name; name.ends_with(k_ending)) {
      paths.push_back(fmt::format("{}/{}", directory, name));
    }
  }
  return paths;
}

void put_newest_first(std::vector<std::string>& paths) { std::ranges::sort(paths, std::greater()); }

// Those whose build has said what it is, the newest first.
std::vector<std::string> begun_paths(const std::string& store_root) {
  auto paths = record_paths(store_root);
  std::erase_if(paths, [](const auto& path) {
    struct stat status;
    return ::stat(path.c_str(), &status) != 0 || status.st_size == 0;
  });
  put_newest_first(paths);
  return paths;
}

std::string id_of(const std::string& path) {
  const auto name = base_name(path);
  return name.size() > k_time_digits + 1 + k_ending.size()
             ? name.substr(k_time_digits + 1, name.size() - k_time_digits - 1 - k_ending.size())
             : "";
}

std::int64_t seconds_of(const std::string& path) {
  std::int64_t milliseconds = 0;
  const auto name = base_name(path);
  std::from_chars(name.data(), name.data() + std::min(name.size(), k_time_digits), milliseconds);
  return milliseconds / 1000;
}

std::string path_for(const std::string& store_root, std::int64_t started, const std::string& id) {
  return fmt::format("{}/{:013}-{}{}", directory_of(store_root), started / 1'000'000, id, k_ending);
}

void remove_beyond(const std::string& store_root, const Bounds& bounds, std::int64_t now) {
  auto paths = record_paths(store_root);
  const auto is_too_old = [&](const auto& path) { return seconds_of(path) < now - bounds.age.count(); };
  if (paths.size() <= bounds.entries && std::ranges::none_of(paths, is_too_old)) return;
  put_newest_first(paths);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if ((i < bounds.entries && !is_too_old(paths[i])) || !cache::FileLock::is_free(paths[i])) continue;
    ::unlink(paths[i].c_str());
  }
}

PastBuild outline(const std::string& path) {
  PastBuild build{.path = path, .running = !cache::FileLock::is_free(path), .bytes = 0, .record = {}};
  const auto text = read_file(path);
  build.bytes = text.size();
  build.record = parse_outline(text, path);
  return build;
}

[[noreturn]] void refuse_unknown(const std::string& word) {
  throw usage_error(fmt::format("there is no past build {}", word))
      .with_advice("mbuild history ls lists those that are kept; [history] in the configuration says how many are.");
}

// The position that "^2" means.
std::optional<std::size_t> offset_in(const std::string& word) {
  std::size_t offset = 0;
  if (word.empty()) return offset;
  if (!word.starts_with("^")) return std::nullopt;
  const auto [end, code] = std::from_chars(word.data() + 1, word.data() + word.size(), offset);
  if (code != std::errc() || end != word.data() + word.size()) throw usage_error(fmt::format("invalid build {}", word));
  return offset;
}

}  // namespace

std::optional<NewRecord> add_record(const std::string& store_root, const Bounds& bounds, std::int64_t now) {
  if (bounds.entries == 0) return std::nullopt;
  try {
    cache::take_store_directory(store_root);
    make_settled_directory(directory_of(store_root), 0700);
    NewRecord added{.id = random_hex(6), .file = {}, .running = {}};
    const auto path = path_for(store_root, now, added.id);
    added.file = open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    added.running = cache::FileLock::try_acquire(path);
    remove_beyond(store_root, bounds, now / 1'000'000'000);
    return added;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<PastBuild> past_builds(const std::string& store_root) {
  std::vector<PastBuild> builds;
  for (const auto& path : begun_paths(store_root)) {
    try {
      builds.push_back(outline(path));
    } catch (const Error&) {
      continue;
    }
  }
  return builds;
}

PastBuild find_build(const std::string& store_root, const std::string& word) {
  const auto paths = begun_paths(store_root);
  if (const auto offset = offset_in(word)) {
    if (*offset >= paths.size()) refuse_unknown(word.empty() ? "yet" : word);
    return outline(paths[*offset]);
  }
  std::vector<std::string> found;
  for (const auto& path : paths) {
    if (id_of(path).starts_with(word)) found.push_back(path);
  }
  if (found.empty()) refuse_unknown(word);
  if (found.size() > 1) {
    std::vector<std::string> ids;
    for (const auto& path : found) ids.push_back(id_of(path));
    throw usage_error(fmt::format("{} is the beginning of several builds: {}", word, join_some(ids)));
  }
  return outline(found.front());
}

Record read_record(const PastBuild& build) { return parse_record(read_file(build.path), build.path); }

void remove_record(const PastBuild& build) {
  if (::unlink(build.path.c_str()) != 0 && errno != ENOENT) throw system_error(errno, "unlink " + build.path);
}

std::string import_record(const std::string& store_root, const std::string& text, const std::string& name) {
  const auto beginning = parse_outline(text, name).beginning;
  const bool is_id = !beginning.id.empty() && beginning.id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!is_id || beginning.started < 0) throw usage_error(fmt::format("{} is no record of a build", name));
  for (const auto& path : begun_paths(store_root)) {
    if (id_of(path) == beginning.id) throw usage_error(fmt::format("there is a past build {} already", beginning.id));
  }
  cache::take_store_directory(store_root);
  make_settled_directory(directory_of(store_root), 0700);
  write_file_atomically(path_for(store_root, beginning.started, beginning.id), text, 0600);
  return beginning.id;
}

}  // namespace mbuild::history
