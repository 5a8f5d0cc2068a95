#include "executor/steps/step_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "base/codec.h"
#include "base/error.h"
#include "base/strings.h"
#include "files/root_path.h"

namespace mbuild::executor {
namespace {

constexpr std::size_t k_files_named = 3;

std::string short_digest(const Digest& digest) { return std::string(digest_hex(digest).substr(0, 12)); }

// ---- settings

// The fields of graph::canonical_parameters: LENGTH:NAME LENGTH:VALUE ...
std::vector<std::string> fields_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    std::size_t size = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), size);
    const auto start = static_cast<std::size_t>(end - text.data()) + 1;
    if (code != std::errc() || start + size > text.size()) break;
    out.emplace_back(text.substr(start, size));
    text.remove_prefix(start + size);
  }
  return out;
}

// What the user wrote that sets this parameter. Several parameters may have one name.
std::string setting_name(const std::string& parameter) {
  static const std::map<std::string, std::string> k_names = {
      {"argv", "text"},
      {"source", "text"},
      {"destination", "text"},
      {"action", "text"},
      {"kind", "text"},
      {"content", "here-document"},
      {"cwd", "WORKDIR"},
      {"user", "USER"},
      {"network", "--network"},
      {"security", "--security"},
      {"extra-host", "--add-host"},
      {"ulimit", "--ulimit"},
      {"shm-size", "--shm-size"},
      {"cgroup-parent", "--cgroup-parent"},
      {"owner", "--chown"},
      {"mode", "--chmod"},
      {"exclude", "--exclude"},
      {"parents", "--parents"},
      {"link", "--link"},
      {"unpack", "--unpack"},
      {"timestamp", "SOURCE_DATE_EPOCH"},
  };
  const auto known = k_names.find(parameter);
  return known == k_names.end() ? "option " + parameter : known->second;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> settings_of(const graph::Node& node) {
  std::map<std::string, std::string> values;
  std::string mount;
  const auto fields = fields_of(graph::canonical_parameters(node));
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    const auto& name = fields[i];
    const auto& value = fields[i + 1];
    if (name == "mount") mount = "--mount at " + value;
    if (name == "input" || name == "secondary" || name == "output") continue;  // inputs are compared themselves
    if (name == "env") {
      const auto equals = value.find('=');
      values["variable " + value.substr(0, equals)] += value.substr(std::min(equals, value.size()));
    } else if (!mount.empty() && name != "platform") {
      if (mount != "--mount at /") values[mount] += name + '\0' + value + '\0';
    } else {
      values[setting_name(name)] += name + '\0' + value + '\0';
    }
  }
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, value] : values) out.emplace_back(name, short_digest(sha256(value)));
  return out;
}

std::vector<FileState> file_states(const Selection& selection) {
  std::vector<FileState> out;
  for (const auto& source : selection.sources) {
    for (const auto& entry : source.entries) {
      const auto& inode = entry.inode;
      FileState state{.path = entry.path.empty() ? source.path : join_resolved(source.path, entry.path),
                      .type = static_cast<std::uint32_t>(inode.type),
                      .mode = inode.mode,
                      .uid = inode.uid,
                      .gid = inode.gid,
                      .content = {}};
      if (!inode.link_target.empty()) state.content = short_digest(sha256(inode.link_target));
      if (!entry.content.empty()) state.content = short_digest(entry.content);
      // Of a directory that is itself the source, the mode is not taken over.
      if (inode.type == image::FileType::directory && entry.path.empty()) state.mode = 0;
      out.push_back(std::move(state));
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return out;
}

namespace {

// ---- bytes

constexpr std::uint64_t k_pack_format = 1;

// As StepInputs, but for the paths, which are without what they share with the one before.
struct PackedFile {
  std::uint64_t shared = 0;
  std::string rest;
  std::uint32_t type = 0, mode = 0, uid = 0, gid = 0;
  std::string content;
};
struct PackedPart {
  std::string id, name;
  Digest whole, content;
  std::vector<PackedFile> files;
};
struct PackedInputs {
  std::uint64_t format = k_pack_format;
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<PackedPart> parts;
};

}  // namespace

std::string pack_inputs(const StepInputs& inputs) {
  PackedInputs packed{.settings = inputs.settings, .parts = {}};
  for (const auto& part : inputs.parts) {
    auto& out = packed.parts.emplace_back(PackedPart{part.id, part.name, part.whole, part.content, {}});
    std::string_view before;
    for (const auto& file : part.files) {
      const auto shared = static_cast<std::size_t>(
          std::mismatch(file.path.begin(), file.path.end(), before.begin(), before.end()).first - file.path.begin());
      out.files.push_back({shared, file.path.substr(shared), file.type, file.mode, file.uid, file.gid, file.content});
      before = file.path;
    }
  }
  return encode(packed);
}

StepInputs unpack_inputs(std::string_view bytes) {
  StepInputs inputs;
  try {
    auto packed = decode<PackedInputs>(bytes);
    if (packed.format != k_pack_format) return {};
    inputs.settings = std::move(packed.settings);
    for (auto& part : packed.parts) {
      auto& out = inputs.parts.emplace_back(InputPart{part.id, part.name, part.whole, part.content, {}});
      std::string before;
      for (auto& file : part.files) {
        std::string path = before.substr(0, file.shared) + file.rest;
        out.files.push_back({path, file.type, file.mode, file.uid, file.gid, std::move(file.content)});
        before = std::move(path);
      }
    }
  } catch (const Error&) {
    return {};  // none of ours
  }
  return inputs;
}

namespace {

// ---- differences

std::string owner_text(const FileState& file) { return fmt::format("{}:{}", file.uid, file.gid); }

std::optional<std::string> file_difference(const FileState& before, const FileState& now) {
  if (before.type != now.type) return "is a file of another type";
  if (before.content != now.content) return "changed";
  if (before.mode != now.mode) return fmt::format("has mode {:04o}, had {:04o}", now.mode, before.mode);
  if (before.uid != now.uid || before.gid != now.gid)
    return fmt::format("has owner {}, had {}", owner_text(now), owner_text(before));
  return std::nullopt;
}

// Both lists are sorted by path.
std::vector<std::string> file_differences(const std::vector<FileState>& before, const std::vector<FileState>& now) {
  std::vector<std::string> changed, others;
  auto a = before.begin();
  auto b = now.begin();
  while (a != before.end() || b != now.end()) {
    if (b == now.end() || (a != before.end() && a->path < b->path)) {
      others.push_back(a++->path + " is gone");
    } else if (a == before.end() || b->path < a->path) {
      others.push_back(b++->path + " is new");
    } else {
      if (const auto what = file_difference(*a, *b)) changed.push_back((b->path.empty() ? "/" : b->path) + " " + *what);
      ++a;
      ++b;
    }
  }
  changed.insert(changed.end(), others.begin(), others.end());
  return changed;
}

std::string shortened(std::vector<std::string> list) {
  if (list.size() <= k_files_named + 1) return join(list, ", ");
  const auto more = list.size() - k_files_named;
  list.resize(k_files_named);
  return fmt::format("{}, and {} more", join(list, ", "), more);
}

std::string setting_difference(const std::string& name, const std::string* before, const std::string* now) {
  if (name == "text") return "its text changed";
  if (name == "here-document") return "the text of its here-document changed";
  return fmt::format("{} {}", name, before == nullptr ? "is new" : now == nullptr ? "is gone" : "changed");
}

std::vector<std::string> setting_differences(const StepInputs& before, const StepInputs& now) {
  const std::map<std::string, std::string> old(before.settings.begin(), before.settings.end()),
      current(now.settings.begin(), now.settings.end());
  std::vector<std::string> out;
  const auto compare = [&](const std::string& name) {
    const auto a = old.find(name), b = current.find(name);
    const auto* was = a == old.end() ? nullptr : &a->second;
    const auto* is = b == current.end() ? nullptr : &b->second;
    if (was != nullptr && is != nullptr && *was == *is) return;
    auto text = setting_difference(name, was, is);
    name == "text" ? out.insert(out.begin(), std::move(text)), void() : out.push_back(std::move(text));
  };
  for (const auto& [name, value] : current) compare(name);
  for (const auto& [name, value] : old) {
    if (!current.contains(name)) compare(name);
  }
  return out;
}

bool is_same(const InputPart& before, const InputPart& now) {
  if (before.whole == now.whole) return true;
  return !before.content.empty() && before.content == now.content;
}

std::string part_difference(const InputPart& before, const InputPart& now) {
  if (!before.files.empty() || !now.files.empty()) {
    auto files = file_differences(before.files, now.files);
    if (!files.empty()) return shortened(std::move(files));
  }
  return now.name + " changed";
}

}  // namespace

std::vector<std::string> differences(const StepInputs& before, const StepInputs& now) {
  std::vector<std::string> out = setting_differences(before, now);
  // What a changed text reads or no longer reads is not worth a word.
  const bool new_text = !out.empty() && out.front() == "its text changed";
  for (const auto& part : now.parts) {
    const auto old = std::find_if(before.parts.begin(), before.parts.end(),
                                  [&](const InputPart& other) { return other.id == part.id; });
    if (old == before.parts.end()) {
      if (!new_text) out.push_back(part.name + " is new");
    } else if (!is_same(*old, part)) {
      out.push_back(part_difference(*old, part));
    }
  }
  return out;
}

}  // namespace mbuild::executor
