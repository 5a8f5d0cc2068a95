#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

// One value of RUN --mount: a CSV record of key=value fields.
namespace mbuild::frontend::dockerfile {

enum class MountType { bind, cache, tmpfs, secret, ssh };
enum class MountSharing { shared, private_copy, locked };

std::string_view name_of(MountType type);
std::string_view name_of(MountSharing sharing);

// What was written; defaults that need more than the text (the id of a cache, the target of a secret) are not filled
// in.
struct MountSpec {
  MountType type = MountType::bind;
  std::string target;  // "" when absent
  std::string source;
  std::string from;
  bool read_only = true;                // the type's default applied: false for cache and tmpfs
  std::optional<MountSharing> sharing;  // cache only
  std::string id;                       // cache, secret, ssh
  bool required = false;                // secret, ssh
  std::optional<std::string> env;       // secret: the variable's name
  std::int64_t size = 0;                // tmpfs, bytes; 0 is no limit
  std::optional<std::uint32_t> uid, gid, mode;
};

// Expands the value of one field.
using ExpandValue = std::function<std::string(std::string_view value)>;

// Parses the text of a --mount; `expand`, if given, is applied to each field's value (so that a comma that comes out
// of a variable separates nothing). Fields count in their order: `required` and `size` before `type` belong to a bind.
// Throws Error (usage).
MountSpec parse_mount(std::string_view text, const ExpandValue& expand = {});

// The `from` of a --mount as written, "" when absent: what can be known before any expansion.
// Throws Error (usage) when it holds a variable, or when the text is no CSV record.
std::string mount_from(std::string_view text);

// One value of RUN --device: NAME[,required[=BOOL]].
struct DeviceSpec {
  std::string name;
  bool required = false;
};
// Throws Error (usage).
DeviceSpec parse_device(std::string_view text);

}  // namespace mbuild::frontend::dockerfile
