#include "containers/volumes.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "base/try_read_file.h"
#include "containers/shelf.h"
#include "executor/workplace.h"

namespace mbuild::containers {
namespace {

constexpr std::size_t k_anonymous_bytes = 32;

std::string directory_of(const std::string& volumes, const std::string& name) {
  return fmt::format("{}/{}", volumes, name);
}

std::string labels_path(const std::string& volumes, const std::string& name) {
  return directory_of(volumes, name) + "/labels";
}

// A name and a value in turn, each with a NUL behind it.
std::string text_of_labels(const std::vector<std::pair<std::string, std::string>>& labels) {
  std::string text;
  for (const auto& [name, value] : labels) text.append(name).append(1, '\0').append(value).append(1, '\0');
  return text;
}

std::vector<std::pair<std::string, std::string>> read_labels(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> labels;
  const auto parts = split(try_read_file(path), '\0');
  for (std::size_t i = 0; i + 1 < parts.size(); i += 2) labels.emplace_back(parts[i], parts[i + 1]);
  return labels;
}

// Which container has which volume.
std::map<std::string, std::string> users_of(const cache::Store& store) {
  std::map<std::string, std::string> out;
  for (const auto& container : Shelf(containers_directory(store)).list()) {
    for (const auto& bind : binds_of(container)) {
      if (!bind.volume.empty()) out.emplace(bind.volume, container.record.name);
    }
  }
  return out;
}

void check_removable(const std::string& volumes, const std::map<std::string, std::string>& users,
                     const std::string& name) {
  check_volume_name(name);
  if (!path_exists(directory_of(volumes, name))) {
    throw usage_error("no such volume: " + name).with_advice("mbuild volume ls lists those there are.");
  }
  const auto user = users.find(name);
  if (user == users.end()) return;
  throw usage_error(fmt::format("the container {} has the volume {}", user->second, name))
      .with_advice(fmt::format("Remove that one first: mbuild rm {}", user->second));
}

void take_away(executor::Workplace& workplace, const std::string& volumes, const std::string& name) {
  std::string gone = fmt::format("{}/{}{}", volumes, k_gone, random_hex(8));
  const std::string path = directory_of(volumes, name);
  if (std::rename(path.c_str(), gone.c_str()) != 0) throw system_error(errno, "remove the volume " + name);
  workplace.remove_later(std::move(gone));
}

// What was taken away by a process that was killed before it had removed it.
void sweep(executor::Workplace& workplace, const std::string& volumes) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(volumes, none)) {
    if (entry.path().filename().string().starts_with(k_gone)) workplace.remove_later(entry.path());
  }
}

}  // namespace

std::string volumes_directory(const cache::Store& store) { return store.root() + "/volumes"; }

void check_volume_name(const std::string& name) {
  try {
    check_name(name);
  } catch (const Error&) {
    throw usage_error(fmt::format("invalid volume name \"{}\"", name))
        .with_advice(
            "It has two letters or digits or more; dots, dashes and underscores may follow the first. A "
            "directory of the host begins with / or with a dot.");
  }
}

std::string anonymous_volume_name() { return random_hex(k_anonymous_bytes); }

bool is_anonymous_volume(const std::string& name) {
  return name.size() == 2 * k_anonymous_bytes && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Volume use_volume(const std::string& directory, const std::string& name) {
  check_volume_name(name);
  Volume out{.name = name, .directory = directory_of(directory, name) + "/data"};
  out.labels = read_labels(labels_path(directory, name));
  if (!path_exists(out.directory)) make_directories(out.directory, 0755);
  struct stat status;
  if (::stat(dir_name(out.directory).c_str(), &status) == 0) out.created = status.st_mtime;
  return out;
}

Volume create_volume(const std::string& directory, const Volume& wanted) {
  check_volume_name(wanted.name);
  if (!wanted.labels.empty() && !has_volume(directory, wanted.name)) {
    // Whole before it has its name; one that is never finished is swept.
    const std::string partial = k_gone + random_hex(8);
    make_directories(directory_of(directory, partial) + "/data", 0755);
    write_file_atomically(labels_path(directory, partial), text_of_labels(wanted.labels), 0600);
    const int renamed =
        std::rename(directory_of(directory, partial).c_str(), directory_of(directory, wanted.name).c_str());
    if (renamed != 0 && errno != ENOTEMPTY && errno != EEXIST) {
      throw system_error(errno, "make the volume " + wanted.name);
    }
  }
  return use_volume(directory, wanted.name);
}

bool is_empty(const Volume& volume) {
  std::error_code failed;
  const bool out = std::filesystem::is_empty(volume.directory, failed);
  return out && !failed;
}

std::set<std::string> used_volumes(const cache::Store& store) {
  std::set<std::string> out;
  for (const auto& [volume, container] : users_of(store)) out.insert(volume);
  return out;
}

bool has_volume(const std::string& directory, const std::string& name) {
  return !name.empty() && !name.starts_with('.') && name.find('/') == std::string::npos &&
         path_exists(directory_of(directory, name));
}

std::vector<Volume> list_volumes(const std::string& directory) {
  std::vector<Volume> out;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory, none)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with('.')) out.push_back(use_volume(directory, name));
  }
  std::ranges::sort(out, {}, &Volume::name);
  return out;
}

void remove_anonymous_volumes(executor::Workplace& workplace, const cache::Store& store, const Container& container) {
  const auto binds = binds_of(container);
  if (std::ranges::none_of(binds, &HostBind::anonymous)) return;
  const auto volumes = volumes_directory(store);
  const auto users = users_of(store);
  for (const auto& bind : binds) {
    const auto user = users.find(bind.volume);
    const bool is_others = user != users.end() && user->second != container.record.name;
    if (!bind.anonymous || is_others || !path_exists(directory_of(volumes, bind.volume))) continue;
    try {
      take_away(workplace, volumes, bind.volume);
    } catch (const Error&) {
      // It stays, as one that no container has.
    }
  }
}

void remove_volumes(const std::string& store_root, const std::vector<std::string>& names) {
  executor::BuildStore place(store_root);
  const auto volumes = volumes_directory(place.store);
  const auto users = users_of(place.store);
  for (const auto& name : names) check_removable(volumes, users, name);
  executor::Workplace workplace(place, [](std::string) {}, {});
  sweep(workplace, volumes);
  for (const auto& name : names) take_away(workplace, volumes, name);
}

PrunedVolumes prune_volumes(const std::string& store_root, bool all,
                            const std::function<bool(const Volume&)>& is_meant) {
  executor::BuildStore place(store_root);
  const auto volumes = volumes_directory(place.store);
  const auto users = users_of(place.store);
  executor::Workplace workplace(place, [](std::string) {}, {});
  sweep(workplace, volumes);
  PrunedVolumes out;
  for (const auto& volume : list_volumes(volumes)) {
    if (users.contains(volume.name) || !is_meant(volume)) continue;
    const bool goes = all || is_anonymous_volume(volume.name);
    if (goes) take_away(workplace, volumes, volume.name);
    (goes ? out.removed : out.left).push_back(volume.name);
  }
  return out;
}

}  // namespace mbuild::containers
