#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/space_policy.h"

// One table of the configuration file, as those who know its keys read it. Every key that is asked for is known; any
// other is refused in the end. All errors are Error (usage) that tells file, line and key.
namespace mbuild::cli {

// A value as it stands in a file: "gc.max-used-space", "\"20GB\"".
struct FileSetting {
  std::string name, value;
};
// All of them, in no order; of tables in a list with their number: "gc.policy.1.filter".
std::vector<FileSetting> settings_in(const std::string& text, const std::string& path);

class Section {
 public:
  // Has the whole file read by `read`; `path` is its name in messages.
  static void read_file(const std::string& text, const std::string& path, const std::function<void(Section&)>& read);

  // Each leaves `into` as it is when the key is not there.
  void flag(std::string_view key, bool& into);
  // A whole number from 1 on.
  void number(std::string_view key, unsigned& into);
  void text(std::string_view key, std::string& into);
  void texts(std::string_view key, std::vector<std::string>& into);
  void amount(std::string_view key, std::optional<cache::Amount>& into);
  // Calls `check` if the key is there; what it throws is told as an error of that key.
  void check(std::string_view key, const std::function<void()>& check);

  // A table below this one.
  void table(std::string_view key, const std::function<void(Section&)>& read);
  // Each table of an array of tables.
  void list(std::string_view key, const std::function<void(Section&)>& read);
  // Every table below this one whose name is not a known key.
  void tables(const std::function<void(const std::string& name, Section&)>& read);

 private:
  struct Table;
  explicit Section(Table& table) : table_(table) {}
  Table& table_;
};

}  // namespace mbuild::cli
