#include "worker/native/root_services.h"

#include <fcntl.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <ranges>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/strings.h"
#include "files/root_path.h"
#include "worker/native/root_files.h"

namespace mbuild::executor {
namespace {

std::vector<std::string> names_in(int root, const std::string& path) {
  const Fd directory = try_open_resolved(root, path, O_RDONLY | O_DIRECTORY);
  return directory ? sorted_names(directory.get()) : std::vector<std::string>();
}

// Resolved; of every architecture.
std::set<std::string> library_directories(int root) {
  std::set<std::string> out;
  for (const char* top : {"lib", "lib64", "usr/lib", "usr/lib64"}) {
    const std::string directory = resolve_in_root(root, top).path;
    out.insert(directory);
    for (const auto& name : names_in(root, directory)) {
      if (name.contains("-linux-")) out.insert(join_resolved(directory, name));
    }
  }
  return out;
}

bool is_service(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

std::vector<std::string> words_of(std::string line) {
  line.resize(std::min(line.size(), line.find('#')));
  std::ranges::replace_if(line, [](char c) { return c == '\t' || c == ':'; }, ' ');
  auto words = split(line, ' ');
  std::erase(words, "");
  return words;
}

}  // namespace

std::set<std::string> lookup_services(int root) {
  constexpr std::string_view k_databases[] = {"passwd", "group", "shadow", "initgroups"};
  std::set<std::string> out = {"dns", "files"};
  bool has_users = false;
  const std::string path = resolve_in_root(root, "etc/nsswitch.conf").path;
  for (const auto& line : split(read_sane(root, path), '\n')) {
    const auto words = words_of(line);
    if (words.empty() || std::ranges::find(k_databases, words.front()) == std::end(k_databases)) continue;
    has_users = has_users || words.front() == k_databases[0];
    for (const auto& word : std::views::drop(words, 1)) {
      if (is_service(word) && word != "systemd" && word != "mymachines") out.insert(word);
    }
  }
  if (!has_users) out.insert("compat");
  return out;
}

bool has_service(int root, const std::string& service) {
  const std::string name = "libnss_" + service + ".so.2";
  return std::ranges::any_of(library_directories(root), [&](const std::string& directory) {
    return resolve_in_root(root, join_resolved(directory, name)).status.has_value();
  });
}

std::set<std::string> conversion_files(int root) {
  std::set<std::string> out;
  for (const auto& directory : library_directories(root)) {
    for (const char* part : {"gconv", "gconv/gconv-modules.d"}) {
      for (auto& name : names_in(root, join_resolved(directory, part))) out.insert(std::move(name));
    }
  }
  out.erase("gconv-modules.cache");  // is made of the others
  return out;
}

}  // namespace mbuild::executor
