#include <string>
#include <vector>

#include "bake/hcl/functions/table.h"

namespace mbuild::bake::hcl {

namespace {

// Without empty, "." and "name/.." parts; "." where nothing is left.
std::string clean(std::string_view path) {
  const bool rooted = path.starts_with('/');
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (!part.empty() && part != "." && !(part == ".." && rooted)) {
      parts.push_back(part);
    }
  }
  std::string result = rooted ? "/" : "";
  for (const std::string_view part : parts) {
    result += result.empty() || result == "/" ? "" : "/";
    result += part;
  }
  return result.empty() ? "." : result;
}

std::string basename(std::string_view path) {
  if (path.empty()) {
    return ".";
  }
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string_view::npos) {
    return "/";
  }
  path = path.substr(0, end + 1);
  return std::string(path.substr(path.rfind('/') + 1));
}

std::string dirname(std::string_view path) { return clean(path.substr(0, path.rfind('/') + 1)); }

}  // namespace

void add_paths(Table& table) {
  define(table, "basename", {text("path")},
         [](Arguments arguments) { return text_value(basename(as_string(arguments[0]))); });
  define(table, "dirname", {text("path")},
         [](Arguments arguments) { return text_value(dirname(as_string(arguments[0]))); });
}

}  // namespace mbuild::bake::hcl
