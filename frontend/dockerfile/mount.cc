#include "frontend/dockerfile/mount.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>
#include <vector>

#include "base/bool_word.h"
#include "base/error.h"
#include "base/strings.h"
#include "frontend/dockerfile/table.h"
#include "frontend/dockerfile/text.h"

namespace mbuild::frontend::dockerfile {
namespace {

using namespace std::string_view_literals;

constexpr std::array k_types = {"bind"sv, "cache"sv, "tmpfs"sv, "secret"sv, "ssh"sv};  // in the order of MountType
constexpr std::array k_sharings = {"shared"sv, "private"sv, "locked"sv};               // in the order of MountSharing
constexpr std::array k_keys = {"type"sv,        "from"sv, "source"sv, "target"sv,    "readonly"sv, "id"sv,  "sharing"sv,
                               "required"sv,    "size"sv, "mode"sv,   "uid"sv,       "gid"sv,      "src"sv, "dst"sv,
                               "destination"sv, "ro"sv,   "rw"sv,     "readwrite"sv, "env"sv};

std::vector<std::string> csv_fields(std::string_view text, std::string_view what) {
  try {
    return split_csv(text);
  } catch (Error& error) {
    error.with_context(fmt::format("failed to parse csv {}", what));
    throw;
  }
}

struct Field {
  std::string text;
  std::string key;  // lower-cased
  std::optional<std::string> value;
};

Field split_field(const std::string& text) {
  const auto equals = text.find('=');
  Field out{text, to_lower(text.substr(0, equals)), std::nullopt};
  if (equals != std::string::npos) out.value = text.substr(equals + 1);
  return out;
}

template <typename List>
std::optional<std::size_t> index_of(const List& list, std::string_view word) {
  const auto found = std::ranges::find(list, word);
  if (found == list.end()) return std::nullopt;
  return static_cast<std::size_t>(found - list.begin());
}

bool boolean_value(std::string_view key, std::string_view value) {
  if (const auto word = bool_word(value)) return *word;
  throw usage_error(fmt::format("invalid value for {}: {}", key, value));
}

std::uint32_t number_value(std::string_view key, std::string_view value, int base) {
  std::uint32_t out = 0;
  const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), out, base);
  if (code != std::errc() || end != value.data() + value.size()) {
    throw usage_error(fmt::format("invalid value {} for {}", value, key));
  }
  return out;
}

std::int64_t size_value(std::string_view value) {
  try {
    const auto size = parse_size(value);
    if (size <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return static_cast<std::int64_t>(size);
    }
  } catch (const Error&) {
    // said below, in the words of a mount
  }
  throw usage_error(fmt::format("invalid value for size: {}", value));
}

MountType type_value(std::string_view value) {
  const auto index = index_of(k_types, to_lower(value));
  if (!index) throw usage_error(fmt::format("unsupported mount type {}{}", quote(value), suggest(value, k_types)));
  return static_cast<MountType>(*index);
}

MountSharing sharing_value(std::string_view value) {
  const auto index = index_of(k_sharings, to_lower(value));
  if (!index)
    throw usage_error(fmt::format("unsupported sharing value {}{}", quote(value), suggest(value, k_sharings)));
  return static_cast<MountSharing>(*index);
}

// `required` and `size` belong to some types, judged by the type that was set before them.
void need_type(bool fits, std::string_view key, MountType type) {
  if (!fits) throw usage_error(fmt::format("unexpected key '{}' for mount type '{}'", key, name_of(type)));
}

bool takes_required(MountType type) { return type == MountType::secret || type == MountType::ssh; }

// What is being read, with what the final checks need besides.
struct Draft {
  MountSpec spec;
  std::optional<bool> read_only;
};

void set_lone_key(const Field& field, Draft& draft) {
  if (field.key == "ro" || field.key == "readonly") {
    draft.read_only = true;
  } else if (field.key == "rw" || field.key == "readwrite") {
    draft.read_only = false;
  } else if (field.key == "required") {
    need_type(takes_required(draft.spec.type), field.key, draft.spec.type);
    draft.spec.required = true;
  } else {
    throw usage_error(fmt::format("invalid field '{}' must be a key=value pair", field.text));
  }
}

void set_key(const Field& field, const std::string& value, Draft& draft) {
  auto& spec = draft.spec;
  const auto& key = field.key;
  if (key == "type") {
    spec.type = type_value(value);
  } else if (key == "from") {
    spec.from = value;
  } else if (key == "source" || key == "src") {
    spec.source = value;
  } else if (key == "target" || key == "dst" || key == "destination") {
    spec.target = value;
  } else if (key == "ro" || key == "readonly") {
    draft.read_only = boolean_value(key, value);
  } else if (key == "rw" || key == "readwrite") {
    draft.read_only = !boolean_value(key, value);
  } else if (key == "required") {
    need_type(takes_required(spec.type), key, spec.type);
    spec.required = boolean_value(key, value);
  } else if (key == "size") {
    need_type(spec.type == MountType::tmpfs, key, spec.type);
    spec.size = size_value(value);
  } else if (key == "id") {
    spec.id = value;
  } else if (key == "sharing") {
    spec.sharing = sharing_value(value);
  } else if (key == "mode") {
    spec.mode = number_value(key, value, 8);
  } else if (key == "uid") {
    spec.uid = number_value(key, value, 10);
  } else if (key == "gid") {
    spec.gid = number_value(key, value, 10);
  } else if (key == "env") {
    spec.env = value;
  } else {
    throw usage_error(fmt::format("unexpected key '{}' in '{}'{}", key, field.text, suggest(key, k_keys)));
  }
}

void check_secret(const MountSpec& spec) {
  if (!spec.from.empty()) throw usage_error("secret mount should not have a from");
  if (spec.sharing) throw usage_error("secret mount should not define sharing");
  if (spec.source.empty() && spec.target.empty() && spec.id.empty()) {
    throw usage_error("invalid secret mount. one of source, target required");
  }
  if (!spec.source.empty() && !spec.id.empty()) throw usage_error("both source and id can't be set");
}

void check_whole(const MountSpec& spec) {
  if (spec.type == MountType::bind || spec.type == MountType::tmpfs) {
    const auto refuse = [&](bool set, std::string_view key) {
      if (set) throw usage_error(fmt::format("{} not allowed for \"{}\" type mounts", key, name_of(spec.type)));
    };
    refuse(spec.mode.has_value(), "mode");
    refuse(spec.uid.has_value(), "uid");
    refuse(spec.gid.has_value(), "gid");
  }
  if (spec.type == MountType::secret) check_secret(spec);
  if (spec.sharing && spec.type != MountType::cache) {
    throw usage_error(fmt::format("invalid cache sharing set for {} mount", name_of(spec.type)));
  }
}

}  // namespace

std::string_view name_of(MountType type) { return k_types[static_cast<std::size_t>(type)]; }
std::string_view name_of(MountSharing sharing) { return k_sharings[static_cast<std::size_t>(sharing)]; }

MountSpec parse_mount(std::string_view text, const ExpandValue& expand) {
  Draft draft;
  for (const auto& field_text : csv_fields(text, "mounts")) {
    const auto field = split_field(field_text);
    if (field.value) {
      set_key(field, expand ? expand(*field.value) : *field.value, draft);
    } else {
      set_lone_key(field, draft);
    }
  }
  auto& spec = draft.spec;
  check_whole(spec);
  const bool writable_by_default = spec.type == MountType::cache || spec.type == MountType::tmpfs;
  spec.read_only = draft.read_only.value_or(!writable_by_default);
  return std::move(spec);
}

std::string mount_from(std::string_view text) {
  std::string from;
  for (const auto& field_text : csv_fields(text, "mounts")) {
    const auto field = split_field(field_text);
    if (field.key != "from" || !field.value) continue;
    const auto dollar = field.value->find('$');
    if (dollar != std::string::npos && dollar + 1 < field.value->size()) {
      throw usage_error("'from' doesn't support variable expansion, define alias stage instead");
    }
    from = *field.value;
  }
  return from;
}

DeviceSpec parse_device(std::string_view text) {
  static constexpr std::array k_device_keys = {"name"sv, "required"sv};
  DeviceSpec out;
  for (const auto& field_text : csv_fields(text, "devices")) {
    const auto field = split_field(field_text);
    if (field.key == "required") {
      out.required = boolean_value(field.key, field.value.value_or("true"));
    } else if (field.key == "name" && field.value) {
      if (!out.name.empty()) throw usage_error(fmt::format("device name already set to {}", out.name));
      out.name = *field.value;
    } else if (out.name.empty()) {
      out.name = field.text;  // a name may hold "=": vendor.com/class=device
    } else if (!field.value) {
      throw usage_error(fmt::format("invalid field '{}' must be a key=value pair", field.text));
    } else {
      throw usage_error(
          fmt::format("unexpected key '{}' in '{}'{}", field.key, field.text, suggest(field.key, k_device_keys)));
    }
  }
  return out;
}

}  // namespace mbuild::frontend::dockerfile
