#include "cli/config.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cli/store_root.h"
#include "executor/collect.h"

namespace mbuild::cli {
namespace {

Error config_error(const std::string& path, const toml::source_region& where, std::string what) {
  return Error(ExitClass::usage, fmt::format("{}:{}: {}", path, where.begin.line, what));
}

// One table of the file. Every key that is asked for is known; finish() refuses the others.
class Section {
 public:
  // `name` is "" for the whole file, else as it is written: "gc".
  Section(const toml::table& table, std::string name, const std::string& path)
      : table_(table), name_(std::move(name)), path_(path) {}

  // The value of a key, if it is there, by `read(node)`; what `read` throws is told with file, line and key.
  template <typename Read>
  void value(std::string_view key, Read&& read) {
    known_.emplace_back(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) return;
    try {
      read(*node);
    } catch (const Error& error) {
      throw config_error(path_, node->source(), fmt::format("{}: {}", full_name(key), error.message));
    }
  }

  void flag(std::string_view key, bool& into) {
    value(key, [&](const toml::node& node) {
      const auto* found = node.as_boolean();
      if (found == nullptr) throw Error(ExitClass::usage, "true or false is expected");
      into = found->get();
    });
  }

  void amount(std::string_view key, std::optional<cache::Amount>& into) {
    value(key, [&](const toml::node& node) {
      if (const auto* number = node.as_integer(); number != nullptr && number->get() >= 0) {
        into = cache::Amount{.bytes = static_cast<std::uint64_t>(number->get())};
      } else if (const auto* text = node.as_string()) {
        into = cache::parse_amount(text->get());
      } else {
        throw Error(ExitClass::usage, "a size is expected: \"20GB\", \"15%\", or a number of bytes");
      }
    });
  }

  // A table below this one: `read(Section&)`, then nothing unknown may be left in it.
  template <typename Read>
  void table(std::string_view key, Read&& read) {
    known_.emplace_back(key);
    const toml::node* node = table_.get(key);
    if (node == nullptr) return;
    if (!node->is_table()) {
      throw config_error(path_, node->source(), fmt::format("{} is a table: write [{}]", full_name(key), key));
    }
    Section section(*node->as_table(), full_name(key), path_);
    read(section);
    section.finish();
  }

  void finish() const {
    for (auto&& [key, node] : table_) {
      const std::string name(key.str());
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      throw config_error(path_, key.source(),
                         fmt::format("unknown key {}{}", full_name(name), did_you_mean(name, known_)));
    }
  }

 private:
  std::string full_name(std::string_view key) const {
    return name_.empty() ? std::string(key) : fmt::format("{}.{}", name_, key);
  }

  const toml::table& table_;
  std::string name_;
  const std::string& path_;
  std::vector<std::string> known_;
};

void read_gc(Section& section, GcConfig& gc) {
  section.flag("enabled", gc.enabled);
  section.amount("max-used-space", gc.max_used_space);
  section.amount("min-free-space", gc.min_free_space);
  section.amount("reserved-space", gc.reserved_space);
}

std::string config_path() {
  if (const auto named = environment_variable("MBUILD_CONFIG"); !named.empty()) return named;
  std::string home = environment_variable("XDG_CONFIG_HOME");
  if (home.empty() && !environment_variable("HOME").empty()) home = environment_variable("HOME") + "/.config";
  for (const auto& path : {home + "/mbuild/config.toml", std::string("/etc/mbuild/config.toml")}) {
    if (path_exists(path)) return path;
  }
  return "";
}

}  // namespace

Config parse_config(const std::string& text, const std::string& path) {
  Config config{.path = path, .gc = {}};
  toml::table table;
  try {
    table = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    throw config_error(path, error.source(), std::string(error.description()));
  }
  Section file(table, "", path);
  file.table("gc", [&](Section& section) { read_gc(section, config.gc); });
  file.finish();
  return config;
}

Config load_config() {
  const std::string path = config_path();
  if (path.empty()) return {};
  if (!path_exists(path)) {
    throw Error(ExitClass::usage, fmt::format("there is no {}", path)).with_advice("MBUILD_CONFIG names it.");
  }
  return parse_config(read_file(path), path);
}

std::optional<cache::SpacePolicy> store_bounds(const GcConfig& gc, const std::string& root) {
  if (!gc.enabled) return std::nullopt;
  const std::uint64_t size = executor::space_around(root).size;
  auto policy = cache::default_space_policy(size);
  if (gc.max_used_space) policy.max_used = cache::in_bytes(*gc.max_used_space, size);
  if (gc.min_free_space) policy.min_free = cache::in_bytes(*gc.min_free_space, size);
  if (gc.reserved_space) policy.reserved = cache::in_bytes(*gc.reserved_space, size);
  return policy;
}

}  // namespace mbuild::cli
