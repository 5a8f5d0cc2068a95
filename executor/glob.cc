#include <fmt/format.h>

#include "base/error.h"
#include "executor/select.h"

// Wildcards as Go's path.Match has them, for one path component. Bytes are compared, but `?`, classes and ranges take
// one UTF-8 sequence.
namespace mbuild::executor {
namespace {

struct Malformed {};

// Takes one character off the front; a broken UTF-8 sequence counts by bytes.
char32_t take_character(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (length == 1 || text.size() < length) {
    text.remove_prefix(1);
    return first < 0x80 ? first : 0xFFFD;
  }
  char32_t value = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) value = (value << 6) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  text.remove_prefix(length);
  return value;
}

// A bound of a range in a class.
char32_t take_bound(std::string_view& pattern) {
  if (pattern.empty() || pattern.front() == '-' || pattern.front() == ']') throw Malformed();
  if (pattern.front() == '\\') {
    pattern.remove_prefix(1);
    if (pattern.empty()) throw Malformed();
  }
  const char32_t bound = take_character(pattern);
  if (pattern.empty()) throw Malformed();
  return bound;
}

// `pattern` stands behind '['; it is moved behind ']'.
bool match_class(std::string_view& pattern, char32_t character) {
  const bool negated = pattern.starts_with('^');
  if (negated) pattern.remove_prefix(1);
  bool hit = false;
  for (bool first = true;; first = false) {
    if (!first && pattern.starts_with(']')) break;
    const char32_t low = take_bound(pattern);
    char32_t high = low;
    if (pattern.starts_with('-')) {
      pattern.remove_prefix(1);
      high = take_bound(pattern);
    }
    hit = hit || (low <= character && character <= high);
  }
  pattern.remove_prefix(1);
  return hit != negated;
}

// Matches all of `pattern` against all of `name`. The whole pattern is read even where the name has failed, so that a
// malformed one never passes in silence: `failed` says that only the reading matters.
bool match(std::string_view pattern, std::string_view name, bool failed) {
  while (!pattern.empty()) {
    const char front = pattern.front();
    if (front == '*') {
      while (pattern.starts_with('*')) pattern.remove_prefix(1);
      bool hit = match(pattern, name, failed);
      while (!failed && !hit && !name.empty()) {
        name.remove_prefix(1);
        hit = match(pattern, name, false);
      }
      return hit;
    }
    pattern.remove_prefix(1);
    failed = failed || name.empty();
    if (front == '[') {
      const char32_t character = failed ? 0 : take_character(name);
      failed = !match_class(pattern, character) || failed;
    } else if (front == '?') {
      if (!failed) take_character(name);
    } else {
      char wanted = front;
      if (front == '\\') {
        if (pattern.empty()) throw Malformed();
        wanted = pattern.front();
        pattern.remove_prefix(1);
      }
      failed = failed || name.front() != wanted;
      if (!failed) name.remove_prefix(1);
    }
  }
  return !failed && name.empty();
}

}  // namespace

bool match_component(std::string_view pattern, std::string_view name) {
  try {
    return match(pattern, name, false);
  } catch (const Malformed&) {
    throw Error(ExitClass::step_failed, fmt::format("syntax error in pattern \"{}\"", pattern));
  }
}

bool has_wildcard(std::string_view component) {
  for (std::size_t i = 0; i < component.size(); ++i) {
    if (component[i] == '\\') {
      ++i;
    } else if (component[i] == '*' || component[i] == '?' || component[i] == '[') {
      return true;
    }
  }
  return false;
}

}  // namespace mbuild::executor
