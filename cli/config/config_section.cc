#include "cli/config/config_section.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <limits>
#include <sstream>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::cli {
namespace {

Error config_error(const std::string& path, const toml::source_region& where, std::string what) {
  return Error(ExitClass::usage, fmt::format("{}:{}: {}", path, where.begin.line, what));
}

std::string text_of(const toml::node& node) {
  const auto* text = node.as_string();
  if (text == nullptr) throw Error(ExitClass::usage, "a text is expected");
  return text->get();
}

}  // namespace

struct Section::Table {
  const toml::table& table;
  std::string name;  // "" for the whole file, else as it is written: "gc"
  const std::string& path;
  std::vector<std::string> known{};

  std::string full_name(std::string_view key) const {
    return name.empty() ? std::string(key) : fmt::format("{}.{}", name, key);
  }

  bool is_known(const std::string& key) const { return std::find(known.begin(), known.end(), key) != known.end(); }

  // Calls `read(node)` if the key is there; what it throws is told with file, line and key.
  template <typename Read>
  void value(std::string_view key, Read&& read) {
    known.emplace_back(key);
    const toml::node* node = table.get(key);
    if (node == nullptr) return;
    try {
      read(*node);
    } catch (const Error& error) {
      throw config_error(path, node->source(), fmt::format("{}: {}", full_name(key), error.message));
    }
  }

  void read_by(const std::function<void(Section&)>& read) {
    Section section(*this);
    read(section);
    for (auto&& [key, node] : table) {
      const std::string found(key.str());
      if (is_known(found)) continue;
      throw config_error(path, key.source(),
                         fmt::format("unknown key {}{}", full_name(found), did_you_mean(found, known)));
    }
  }
};

namespace {

toml::table parse(const std::string& text, const std::string& path) {
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    throw config_error(path, error.source(), std::string(error.description()));
  }
}

std::string shown_key(std::string_view key) {
  return key.find_first_of(".: \"") == std::string_view::npos ? std::string(key) : fmt::format("\"{}\"", key);
}

void collect(const toml::node& node, const std::string& name, std::vector<FileSetting>& out) {
  const std::string before = name.empty() ? "" : name + ".";
  if (const auto* table = node.as_table()) {
    for (auto&& [key, value] : *table) collect(value, before + shown_key(key.str()), out);
  } else if (const auto* list = node.as_array(); list != nullptr && list->is_array_of_tables()) {
    for (std::size_t i = 0; i < list->size(); ++i) collect(*list->get(i), fmt::format("{}{}", before, i + 1), out);
  } else {
    std::ostringstream value;
    value << toml::node_view<const toml::node>(node);
    out.push_back({name, value.str()});
  }
}

}  // namespace

std::vector<FileSetting> settings_in(const std::string& text, const std::string& path) {
  std::vector<FileSetting> out;
  collect(parse(text, path), "", out);
  return out;
}

void Section::read_file(const std::string& text, const std::string& path, const std::function<void(Section&)>& read) {
  const toml::table parsed = parse(text, path);
  Table table{parsed, "", path};
  table.read_by(read);
}

void Section::flag(std::string_view key, bool& into) {
  table_.value(key, [&](const toml::node& node) {
    const auto* found = node.as_boolean();
    if (found == nullptr) throw Error(ExitClass::usage, "true or false is expected");
    into = found->get();
  });
}

void Section::number(std::string_view key, unsigned& into) {
  table_.value(key, [&](const toml::node& node) {
    const auto* number = node.as_integer();
    if (number == nullptr || number->get() < 1 || number->get() > std::numeric_limits<int>::max()) {
      throw Error(ExitClass::usage, "a whole number from 1 on is expected");
    }
    into = static_cast<unsigned>(number->get());
  });
}

void Section::text(std::string_view key, std::string& into) {
  table_.value(key, [&](const toml::node& node) { into = text_of(node); });
}

void Section::texts(std::string_view key, std::vector<std::string>& into) {
  table_.value(key, [&](const toml::node& node) {
    const auto* list = node.as_array();
    if (list == nullptr) throw Error(ExitClass::usage, "a list of texts is expected: [\"...\", \"...\"]");
    into.clear();
    for (const auto& entry : *list) into.push_back(text_of(entry));
  });
}

void Section::amount(std::string_view key, std::optional<cache::Amount>& into) {
  table_.value(key, [&](const toml::node& node) {
    if (const auto* number = node.as_integer(); number != nullptr && number->get() >= 0) {
      into = cache::Amount{.bytes = static_cast<std::uint64_t>(number->get())};
    } else if (const auto* text = node.as_string()) {
      into = cache::parse_amount(text->get());
    } else {
      throw Error(ExitClass::usage, "a size is expected: \"20GB\", \"15%\", or a number of bytes");
    }
  });
}

void Section::check(std::string_view key, const std::function<void()>& check) {
  table_.value(key, [&](const toml::node&) { check(); });
}

void Section::table(std::string_view key, const std::function<void(Section&)>& read) {
  table_.known.emplace_back(key);
  const toml::node* node = table_.table.get(key);
  if (node == nullptr) return;
  if (!node->is_table()) {
    throw config_error(table_.path, node->source(),
                       fmt::format("{} is a table: write [{}]", table_.full_name(key), key));
  }
  Table{*node->as_table(), table_.full_name(key), table_.path}.read_by(read);
}

void Section::list(std::string_view key, const std::function<void(Section&)>& read) {
  const toml::array* list = nullptr;
  const std::string name = table_.full_name(key);
  table_.value(key, [&](const toml::node& node) {
    list = node.as_array();
    if (list == nullptr || !list->is_array_of_tables()) {
      throw Error(ExitClass::usage, fmt::format("a list of tables is expected: write [[{}]] above each", name));
    }
  });
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i)
    Table{*list->get(i)->as_table(), name, table_.path}.read_by(read);
}

void Section::tables(const std::function<void(const std::string& name, Section&)>& read) {
  for (auto&& [key, node] : table_.table) {
    const std::string name(key.str());
    if (!node.is_table() || table_.is_known(name)) continue;
    table(name, [&](Section& section) { read(name, section); });
  }
}

}  // namespace mbuild::cli
