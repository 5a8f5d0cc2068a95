#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

// Parser directives: "# name=value" lines at the top of a file.
namespace mbuild::frontend::dockerfile {

struct Directive {
  std::string name;  // lower-cased: syntax, escape or check
  std::string value;
};

// Reads "name = value" (what follows the "#") if it is one of the known directives.
std::optional<Directive> parse_directive(std::string_view text);

// Follows a file line by line; the first line that is no directive ends the search.
class DirectiveScanner {
 public:
  // Throws Error (usage) when a directive is repeated.
  std::optional<Directive> next(std::string_view line);
  bool done() const { return done_; }
  void stop() { done_ = true; }

 private:
  std::set<std::string> seen_;
  bool done_ = false;
};

}  // namespace mbuild::frontend::dockerfile
