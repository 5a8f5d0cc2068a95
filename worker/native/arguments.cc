#include "worker/native/arguments.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "base/strings.h"

namespace mbuild::executor {
namespace {

using Arguments = std::vector<std::string>;

bool any_starts_with(const Arguments& arguments, std::initializer_list<std::string_view> beginnings) {
  return std::ranges::any_of(arguments, [&](const std::string& argument) {
    return std::ranges::any_of(beginnings, [&](std::string_view one) { return argument.starts_with(one); });
  });
}

bool any_is(const Arguments& arguments, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(
      arguments, [&](const std::string& argument) { return std::ranges::find(words, argument) != words.end(); });
}

// --general-numeric-sort, however it is written, compares long doubles. Options are words with a dash, and the values
// of -k, which begin with a digit.
bool compares_long_doubles(const Arguments& arguments) {
  return std::ranges::any_of(arguments, [](const std::string& argument) {
    const char first = argument.empty() ? '\0' : argument.front();
    return (first == '-' || first == '+' || (first >= '0' && first <= '9')) && argument.find('g') != argument.npos;
  });
}

// Precompiled headers and modules are memory of the very compiler; plugins are libraries of the platform; a pack need
// not have conversions of character sets.
bool needs_own_compiler(const Arguments& arguments) {
  return any_starts_with(arguments, {"@", "-fplugin", "--output-pch", "-output-pch", "-fmodule", "-iprefix",
                                     "-Winvalid-pch", "-version", "--version", "--help", "--target-help", "-fself-test",
                                     "-finput-charset", "-fexec-charset", "-fwide-exec-charset"}) ||
         any_is(arguments, {"-v"});
}

// A character that has a sign on some processors.
bool any_beyond_ascii(const Arguments& arguments) {
  return std::ranges::any_of(arguments, [](std::string_view argument) {
    return std::ranges::any_of(argument, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  });
}

// What git says of how it was built: `git version --build-options`, shortened as one likes, and what puts that into a
// report.
bool tells_how_git_was_built(const Arguments& arguments) {
  return any_is(arguments, {"bugreport", "diagnose"}) ||
         (any_is(arguments, {"version"}) && any_starts_with(arguments, {"--b"}));
}

// The filters of a commit graph that tell which paths a commit has changed are made of characters with a sign or
// without one; who looks for a path by the other kind does not find it.
bool uses_changed_paths(const Arguments& arguments) {
  return any_is(arguments, {"commit-graph", "gc", "maintenance"}) || any_beyond_ascii(arguments);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool begins_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return !text.empty() && (is_digit(text.front()) || (text.front() == '.' && text.size() > 1 && is_digit(text[1])));
}

// The position behind a string or regular expression that begins at `at`.
std::size_t behind_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (++at; at < text.size() && text[at] != quote; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

// Whether a format has a conversion to a number without a sign ("%x"), or ends within one.
bool drops_signs(std::string_view format) {
  for (auto at = format.find('%'); at != format.npos; at = format.find('%', at + 1)) {
    at = format.find_first_not_of("-+ #0123456789.*", at + 1);
    if (at == format.npos || std::string_view("ouxX").contains(format[at])) return true;
  }
  return false;
}

// What stands behind "printf" or "sprintf" is a format that is seen to keep signs. Strings side by side are one.
bool keeps_signs(std::string_view text) {
  auto at = text.find_first_not_of(" \t(");
  if (at == text.npos || text[at] != '"') return false;
  while (at < text.size() && text[at] == '"') {
    const auto end = std::min(behind_quoted(text, at), text.size());
    if (drops_signs(text.substr(at + 1, end - at - 2))) return false;
    at = std::min(text.find_first_not_of(" \t", end), text.size());
  }
  return at == text.size() || std::string_view(",);}|>\n").contains(text[at]);
}

// Whether a program of awk calculates what processors do not agree on: the sign of what is not a number (0 / 0,
// infinity less infinity), what the mathematical library rounds, and a negative number as one without a sign. To count,
// and to add or take a number that stands there, never leads to these. In doubt it calculates.
bool calculates(std::string_view text) {
  constexpr std::string_view k_words[] = {"atan2", "cos",  "exp",   "log",  "rand",
                                          "sin",   "sqrt", "srand", "OFMT", "CONVFMT"};
  constexpr std::string_view k_keywords[] = {"print", "printf", "return", "in", "else", "do", "exit", "BEGIN", "END"};
  bool behind_operand = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const std::string_view rest = text.substr(at + 1);
    if (is_word(c) || c == '.') {
      auto end = at + 1;
      while (end < text.size() && (is_word(text[end]) || text[end] == '.')) ++end;
      const auto word = text.substr(at, end - at);
      if (std::ranges::find(k_words, word) != std::end(k_words)) return true;
      if ((word == "printf" || word == "sprintf") && !keeps_signs(text.substr(end))) return true;
      behind_operand = std::ranges::find(k_keywords, word) == std::end(k_keywords);
      at = end;
    } else if (c == '"' || (c == '/' && !behind_operand)) {
      at = behind_quoted(text, at);
      behind_operand = true;
    } else if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if ((c == '+' || c == '-') && rest.starts_with(c)) {
      at += 2;
    } else if (c == '+' || c == '-') {
      if (behind_operand && !begins_number(rest.substr(rest.starts_with('=') ? 1 : 0))) return true;
      behind_operand = false;
      ++at;
    } else if (c == ' ' || c == '\t' || c == '\\') {
      ++at;
    } else if (std::string_view("()[]{};,!~&|<>=?:$\n").contains(c)) {
      behind_operand = c == ')' || c == ']';
      ++at;
    } else {
      return true;
    }
  }
  return false;
}

// Whether a program of awk may do something, which is the first word that is no option. What is in a file is not looked
// at.
bool awk_does(const Arguments& arguments, bool (*does)(std::string_view program)) {
  if (any_starts_with(arguments, {"OFMT=", "CONVFMT=", "-vOFMT=", "-vCONVFMT="})) return true;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& word = arguments[i];
    if (word == "-F" || word == "-v") {
      ++i;
    } else if (!word.starts_with("-F") && !word.starts_with("-v")) {
      return word.starts_with('-') || does(word);
    }
  }
  return true;
}

// A range of characters in a pattern of the shell that ends beyond ASCII ("[a-ö]"): characters have a sign on some
// processors.
bool has_signed_range(std::string_view text) {
  for (auto at = text.find('['); at != text.npos; at = text.find('[', at + 1)) {
    const auto end = std::min(text.find(']', at), text.size());
    for (auto i = at + 1; i + 1 < end; ++i) {
      if (text[i] == '-' && static_cast<unsigned char>(text[i + 1]) >= 0x80) return true;
    }
  }
  return false;
}

// xz tells how much memory it needs, which depends on the size of pointers: --list, and -v twice.
bool tells_of_memory(const Arguments& arguments) {
  return any_starts_with(arguments, {"--li"}) || std::ranges::count(arguments, "-v") > 1 ||
         std::ranges::count_if(arguments, [](const std::string& one) { return one.starts_with("--ve"); }) > 1 ||
         std::ranges::any_of(arguments, [](const std::string& one) {
           return one.starts_with('-') && !one.starts_with("--") && (one.contains('l') || one.contains("vv"));
         });
}

// dpkg and dpkg-query -S find files in the order of a hash of their names.
bool searches_files(const Arguments& arguments) { return any_starts_with(arguments, {"-S", "--search"}); }

// The help of apt's programs has their architecture in its first line. They show it where they are asked for it or for
// their version, in whatever way, and where they are asked for nothing. In doubt they do.
bool shows_help_of_apt(const Arguments& arguments) {
  const auto asks = [](const std::string& word) {
    const std::string lower = to_lower(word);
    return lower.contains("help") || lower.contains("version");
  };
  bool has_command = false;
  for (auto word = arguments.begin(); word != arguments.end(); ++word) {
    if (!word->starts_with('-')) {
      if (!has_command && asks(*word)) return true;
      has_command = true;
      continue;
    }
    if (asks(*word)) return true;
    const bool is_long = word->starts_with("--");
    const auto value = is_long ? word->npos : word->find_first_of("oct", 1);  // letters that have a value
    if (!is_long && word->substr(0, value).find_first_of("hv") != word->npos) return true;
    const bool value_follows = *word == "--option" || (value != word->npos && value + 1 == word->size());
    if (value_follows && std::next(word) != arguments.end() && asks(*++word)) return true;
  }
  return !has_command;
}

// apk tells which architecture it was compiled for where it is asked for its version or help, and works for that where
// it is not told by a file of the root that it works on, which is its own then.
bool needs_own_apk(const Arguments& arguments) {
  return std::ranges::none_of(arguments, [](const std::string& one) { return !one.starts_with('-'); }) ||
         any_starts_with(arguments, {"--ar", "--he", "--in", "--pri", "--ro", "--ve"}) ||
         any_is(arguments, {"version", "help", "--a", "--h", "--i", "--p", "--pr", "--r", "--v"}) ||
         std::ranges::any_of(arguments, [](const std::string& one) {
           return one.starts_with('-') && !one.starts_with("--") && one.find_first_of("phV") != one.npos;
         });
}

// A linker's plugin is looked at by who knows where it comes from (compilers.h).
bool needs_own_linker(const Arguments& arguments) {
  return any_starts_with(arguments, {"@", "--plugin", "-plugin=", "--help", "--target-help", "-V"}) ||
         std::ranges::count(arguments, "-plugin") > 1;
}

// busybox's awk converts numbers to integers in ways that processors do not agree on where they are too large. Only
// what compares, prints and changes texts, by these words and by numbers that stand there, never does.
bool converts_numbers(std::string_view text) {
  constexpr std::string_view k_words[] = {"BEGIN", "END",  "FILENAME", "FNR",  "FS",      "NF",     "NR",
                                          "OFS",   "ORS",  "RS",       "else", "gsub",    "if",     "length",
                                          "match", "next", "print",    "sub",  "tolower", "toupper"};
  bool behind_operand = false;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (is_word(c)) {
      auto end = at + 1;
      while (end < text.size() && is_word(text[end])) ++end;
      const auto word = text.substr(at, end - at);
      const bool is_number = word.size() < 9 && std::ranges::all_of(word, is_digit);
      if (!is_number && std::ranges::find(k_words, word) == std::end(k_words)) return true;
      behind_operand = is_number || word == "NF" || word == "NR" || word == "FNR";
      at = end;
    } else if (c == '"' || (c == '/' && !behind_operand)) {
      at = behind_quoted(text, at);
      behind_operand = true;
    } else if (std::string_view(" \t\n(){};,!~&|<>=?:$").contains(c)) {
      if (c != ' ' && c != '\t') behind_operand = c == ')';
      ++at;
    } else {
      return true;
    }
  }
  return false;
}

// Applets of busybox that tell of the machine, calculate with floating-point numbers (which some processors do in steps
// that are rounded less), have the root directory or the processor's personality changed, or look at the programs of
// processes.
constexpr std::string_view k_emulated_applets[] = {
    "arch",        "bbconfig",   "bc",      "chroot", "dc",      "hd",      "hexdump",
    "killall",     "linux32",    "linux64", "nproc",  "nsenter", "od",      "pgrep",
    "pidof",       "pivot_root", "pkill",   "ps",     "seq",     "setarch", "start-stop-daemon",
    "switch_root", "uname",      "unshare"};

}  // namespace

bool needs_emulation(std::string_view name, const Arguments& arguments) {
  if (name == "sort") return compares_long_doubles(arguments);
  if (name == "mawk") return awk_does(arguments, calculates);
  if (name == "dash") return std::ranges::any_of(arguments, has_signed_range);
  if (name == "split") return any_beyond_ascii(arguments);        // a separator below zero is none
  if (name == "sed") return any_starts_with(arguments, {"--d"});  // --debug writes characters as numbers
  if (name == "xz") return tells_of_memory(arguments);
  if (name.starts_with("dpkg")) {
    // Versions are compared by characters with a sign.
    return searches_files(arguments) || any_starts_with(arguments, {"--ver"}) || any_beyond_ascii(arguments);
  }
  if (name.starts_with("apt")) return shows_help_of_apt(arguments);
  if (name == "apk") return needs_own_apk(arguments);
  if (name == "git" || name == "scalar") return tells_how_git_was_built(arguments) || uses_changed_paths(arguments);
  if (name == "cc1" || name == "cc1plus" || name == "lto1") return needs_own_compiler(arguments);
  if (name == "ld.bfd") return needs_own_linker(arguments);
  if (name == "as") return any_starts_with(arguments, {"@"});
  return false;
}

bool needs_emulated_busybox(const Arguments& words) {
  auto at = words.begin();
  const auto applet_of = [](std::string_view word) {
    const std::string_view name = word.substr(word.rfind('/') + 1);
    return name.substr(name.starts_with('-') ? 1 : 0);  // a login shell
  };
  while (at != words.end() && applet_of(*at).starts_with("busybox")) ++at;
  // What busybox does itself: --install makes links to the file that it runs from.
  if (at == words.end() || at->empty() || (at != words.begin() && at->starts_with('-'))) return true;
  const std::string_view applet = applet_of(*at);
  const Arguments arguments(at + 1, words.end());
  if (applet == "awk") return awk_does(arguments, converts_numbers);
  if (applet == "sort") return compares_long_doubles(arguments);
  return std::ranges::find(k_emulated_applets, applet) != std::end(k_emulated_applets);
}

}  // namespace mbuild::executor
