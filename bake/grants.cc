#include "bake/grants.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "bake/entries.h"
#include "base/error.h"
#include "base/strings.h"
#include "executor/sources/remote_context.h"

namespace mbuild::bake {
namespace {

namespace fs = std::filesystem;

bool is_below(const std::string& path, const std::string& directory) {
  return path == directory || directory == "/" || path.starts_with(directory + "/");
}

// The path without links, of what there is of it: the rest is left out where `existing`, else kept as it is.
std::string real_path(const std::string& path, const Outside& outside, bool existing) {
  fs::path found = join_path(outside.directory, path);
  fs::path rest;
  for (;;) {
    std::error_code failure;
    const auto real = fs::canonical(found, failure);
    if (!failure) return clean_path((existing ? real : real / rest).string());
    if (!found.has_relative_path()) return "/";
    rest = rest.empty() ? found.filename() : found.filename() / rest;
    found = found.parent_path();
  }
}

bool covers(const std::set<std::string>& granted, const std::string& path) {
  return granted.contains("*") ||
         std::ranges::any_of(granted, [&](const auto& directory) { return is_below(path, directory); });
}

// Gathers what one target after the other needs.
class Needs {
 public:
  Needs(const Outside& outside, bool checks_files) : outside_(outside), checks_files_(checks_files) {}

  void add(const Target& target) {
    granted_ = &target.granted;
    add_entitlements(target);
    add_output_modes(target);
    if (!checks_files_) return;
    add_contexts(target);
    for (const auto& output : entries_of(target, Attribute::output)) add_output(output);
    for (const auto& cache : entries_of(target, Attribute::cache_from)) add_local(cache, "src", needs.read);
    for (const auto& cache : entries_of(target, Attribute::cache_to)) add_local(cache, "dest", needs.write);
    for (const auto& secret : entries_of(target, Attribute::secret)) add_path(field_of(secret, "src"), needs.read);
    for (const auto& agent : entries_of(target, Attribute::ssh)) {
      for (const auto& path : agent.paths) add_path(path, needs.read);
      if (agent.paths.empty()) needs.ssh = true;
    }
  }

  Privileges needs;

 private:
  // A path within a definition that was fetched.
  bool is_fetched(const std::string& path) const {
    return outside_.remote && !path.starts_with(k_here) && !path.starts_with('/');
  }

  static std::string local(const std::string& path) {
    return path.starts_with(k_here) ? clean_path(path.substr(k_here.size())) : path;
  }

  void add_path(const std::string& path, std::set<std::string>& into) {
    if (path.empty() || std::ranges::find(*granted_, path) != granted_->end()) return;
    into.insert(real_path(path, outside_, true));
  }

  void add_local(const Entry& cache, const char* field, std::set<std::string>& into) {
    if (field_of(cache, "type") == "local") add_path(field_of(cache, field), into);
  }

  void add_output(const Entry& output) {
    const auto type = field_of(output, "type"), destination = field_of(output, "dest");
    if (destination == "-" || (type != "local" && type != "tar" && type != "oci" && type != "docker")) return;
    add_path(destination, needs.write);
  }

  void add_output_modes(const Target& target) {
    for (const auto& output : entries_of(target, Attribute::output)) {
      if (field_of(output, "type") == "local" && field_of(output, "mode") == "delete") needs.delete_others = true;
    }
  }

  void add_entitlements(const Target& target) {
    for (const auto& name : texts_of(target, Attribute::entitlements)) {
      if (name == "network.host") needs.network_host = true;
      if (name == "security.insecure") needs.insecure = true;
      if (name == "device") needs.devices.insert("");
      if (name.starts_with("device=")) needs.devices.insert(name.substr(7));
    }
  }

  void add_contexts(const Target& target) {
    const auto& context = *text_of(target, Attribute::context);
    const auto& dockerfile = *text_of(target, Attribute::dockerfile);
    const bool is_remote = executor::is_remote(context) || is_fetched(context);
    if (!is_remote) add_path(local(context), needs.read);
    if (dockerfile.starts_with(k_here)) {
      add_path(dockerfile.substr(k_here.size()), needs.read);
    } else if (!is_remote && text_of(target, Attribute::dockerfile_inline) == nullptr) {
      if (!executor::is_remote(dockerfile)) add_path(join_path(local(context), dockerfile), needs.read);
    }
    for (const auto& [name, value] : pairs_of(target, Attribute::contexts)) add_named_context(value);
  }

  // Images are not asked for, wherever they are.
  void add_named_context(const std::string& value) {
    if (value.starts_with(k_here)) {
      add_path(value.substr(k_here.size()), needs.read);
    } else if ((!is_placed(value) && !is_fetched(value)) || value.starts_with('/')) {
      add_path(value, needs.read);
    }
  }

  const Outside& outside_;
  const bool checks_files_;
  const std::vector<std::string>* granted_ = nullptr;
};

// Without what is below another.
std::set<std::string> folded(const std::set<std::string>& paths) {
  std::set<std::string> kept;
  for (const auto& path : paths) {
    if (std::ranges::none_of(paths, [&](const auto& other) { return other != path && is_below(path, other); }))
      kept.insert(path);
  }
  return kept;
}

std::set<std::string> not_covered(const std::set<std::string>& needed, const std::set<std::string>& granted) {
  std::set<std::string> paths;
  for (const auto& path : needed) {
    if (!covers(granted, path)) paths.insert(path);
  }
  return folded(paths);
}

// Relative where that is near.
std::string shown_path(const std::string& path, const Outside& outside) {
  std::error_code none;
  const auto here = fs::canonical(outside.directory, none);
  if (none) return path;
  auto relative = fs::path(path).lexically_relative(here).string();
  return relative.empty() || relative.starts_with("../..") ? path : relative;
}

// What is read and written comes once.
struct Access {
  std::string sentence, flag, path;
};

std::vector<Access> accesses(const Privileges& privileges, const Outside& outside) {
  std::vector<Access> list;
  const auto& [read, write] = std::pair(privileges.read, privileges.write);
  for (const auto& path : read) {
    const bool both = write.contains(path);
    list.push_back({both ? "Read and write access to path " : "Read access to path ",
                    both ? "fs=" : "fs.read=", shown_path(path, outside)});
  }
  for (const auto& path : write) {
    if (!read.contains(path)) list.push_back({"Write access to path ", "fs.write=", shown_path(path, outside)});
  }
  return list;
}

}  // namespace

Privileges parse_grants(const std::vector<std::string>& values, const Outside& outside) {
  static const std::vector<std::string> k_known = {
      "fs",     "fs.read", "fs.write",   "network.host", "security.insecure",  "ssh",
      "device", "image",   "image.push", "image.load",   "buildx.local.delete"};
  Privileges granted;
  const auto here = real_path("", outside, true);
  granted.read.insert(here);
  granted.write.insert(here);
  for (const auto& value : values) {
    const auto equals = value.find('=');
    const auto key = value.substr(0, equals);
    const auto rest = equals == std::string::npos ? "" : value.substr(equals + 1);
    static const std::vector<std::string> k_plain = {"network.host", "security.insecure", "ssh"};
    if (equals != std::string::npos && std::ranges::find(k_plain, key) != k_plain.end())
      throw usage_error(fmt::format("unknown entitlement key \"{}\"", key)).with_advice(key + " takes no value.");
    if (equals != std::string::npos && key == "buildx.local.delete")
      throw usage_error(key + " does not accept a value");
    const auto path = rest == "*" ? rest : real_path(rest, outside, false);
    if (key == "fs" || key == "fs.read") granted.read.insert(path);
    if (key == "fs" || key == "fs.write") granted.write.insert(path);
    if (key == "network.host") granted.network_host = true;
    if (key == "security.insecure") granted.insecure = true;
    if (key == "ssh") granted.ssh = true;
    if (key == "buildx.local.delete") granted.delete_others = true;
    if (key == "device") granted.devices.insert(rest);
    if (std::ranges::find(k_known, key) == k_known.end())
      throw usage_error(fmt::format("unknown entitlement key \"{}\"{}", key, did_you_mean(key, k_known)))
          .with_advice("--allow takes " + join(k_known, ", ") + ".");
  }
  return granted;
}

Privileges missing_privileges(const Selection& selection, const Privileges& granted, const Outside& outside,
                              bool checks_files) {
  Needs all(outside, checks_files);
  for (const auto& [name, target] : selection.targets) all.add(target);
  Privileges missing = all.needs;
  missing.read = not_covered(missing.read, granted.read);
  missing.write = not_covered(missing.write, granted.write);
  if (granted.network_host) missing.network_host = false;
  if (granted.insecure) missing.insecure = false;
  if (granted.ssh) missing.ssh = false;
  if (granted.delete_others) missing.delete_others = false;
  if (granted.devices.contains("")) missing.devices.clear();
  std::erase_if(missing.devices, [&](const auto& device) { return granted.devices.contains(device); });
  return missing;
}

std::vector<std::string> grant_flags(const Privileges& privileges, const Outside& outside) {
  std::vector<std::string> flags;
  for (const auto& access : accesses(privileges, outside)) flags.push_back("--allow=" + access.flag + access.path);
  if (privileges.network_host) flags.emplace_back("--allow=network.host");
  if (privileges.insecure) flags.emplace_back("--allow=security.insecure");
  for (const auto& device : privileges.devices)
    flags.push_back(device.empty() ? "--allow=device" : "--allow=device=" + device);
  if (privileges.ssh) flags.emplace_back("--allow=ssh");
  if (privileges.delete_others) flags.emplace_back("--allow=buildx.local.delete");
  return flags;
}

std::string question(const Privileges& privileges, const Outside& outside, std::vector<std::string> command,
                     std::size_t place) {
  std::vector<std::string> lines = {"Your build is requesting privileges for following possibly insecure capabilities:",
                                    ""};
  for (const auto& access : accesses(privileges, outside)) lines.push_back(" - " + access.sentence + access.path);
  if (privileges.network_host) lines.emplace_back(" - Running build containers that can access host network");
  if (privileges.insecure) lines.emplace_back(" - Running privileged containers that can make system changes");
  for (const auto& device : privileges.devices)
    lines.push_back(device.empty() ? " - Access to CDI devices" : " - Access to device " + device);
  if (privileges.ssh) lines.emplace_back(" - Forwarding default SSH agent socket");
  if (privileges.delete_others) lines.emplace_back(" - Deleting stale files from local output destinations");
  const auto flags = grant_flags(privileges, outside);
  command.insert(command.begin() + static_cast<std::ptrdiff_t>(std::min(place, command.size())), flags.begin(),
                 flags.end());
  lines.push_back("");
  lines.push_back(fmt::format("Pass \"{}\" to grant requested privileges.", join(flags, " ")));
  lines.push_back("");
  lines.push_back("Your full command with requested privileges:");
  lines.push_back("");
  lines.push_back(join(command, " "));
  lines.push_back("");
  if (!privileges.read.empty() || !privileges.write.empty())
    lines.push_back("BUILDX_BAKE_ENTITLEMENTS_FS=0 in the environment turns the questions about files off.\n");
  return join(lines, "\n");
}

}  // namespace mbuild::bake
