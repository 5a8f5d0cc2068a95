#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Variable expansion of Dockerfile words, as BuildKit's shell lexer does it.
namespace mbuild::frontend::dockerfile {

using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

struct Expansion {
  std::string text;
  std::set<std::string> undefined;  // names that were used and are not set
};

struct ExpandOptions {
  char escape = '\\';
  bool raw_quotes = false;   // quotes are ordinary characters (heredoc bodies)
  bool keep_quotes = false;  // quotes protect and stay in the result (words to be shown or read again)
  bool raw_escapes = false;  // keep escape characters
  bool skip_unset = false;   // leave $NAME of an unset variable as it stands
};

// Expands variables and removes quotes. Throws Error (usage).
Expansion expand(std::string_view word, const Lookup& lookup, const ExpandOptions& options = {});
// The same, then split at unquoted blanks (those that come out of a variable count).
std::vector<std::string> expand_words(std::string_view word, const Lookup& lookup, const ExpandOptions& options = {});

}  // namespace mbuild::frontend::dockerfile
