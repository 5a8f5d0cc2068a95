#include <fmt/format.h>

#include <optional>

#include "base/error.h"
#include "files/select.h"

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

// Takes the part of a pattern before the next star off its front.
std::string_view take_chunk(std::string_view& pattern) {
  std::size_t end = 0;
  bool in_class = false;
  for (; end < pattern.size() && (in_class || pattern[end] != '*'); ++end) {
    if (pattern[end] == '\\') {
      ++end;
    } else if (pattern[end] == '[') {
      in_class = true;
    } else if (pattern[end] == ']') {
      in_class = false;
    }
  }
  const auto chunk = pattern.substr(0, end);
  pattern.remove_prefix(chunk.size());
  return chunk;
}

// What is left of `name` behind a match of a pattern without stars. The whole pattern is read even where the name has
// failed, so that a malformed one never passes in silence.
std::optional<std::string_view> match_chunk(std::string_view pattern, std::string_view name) {
  bool failed = false;
  while (!pattern.empty()) {
    const char front = pattern.front();
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
  return failed ? std::nullopt : std::optional(name);
}

// Each part between stars takes the first place where it fits: an earlier star never has to be tried again, so that the
// time is bounded by the product of the two lengths.
bool match(std::string_view pattern, std::string_view name) {
  bool failed = false;
  while (!pattern.empty()) {
    const bool star = pattern.starts_with('*');
    while (pattern.starts_with('*')) pattern.remove_prefix(1);
    const auto chunk = take_chunk(pattern);
    const bool is_last = pattern.empty();
    auto rest = match_chunk(chunk, failed ? "" : name);
    const auto fits = [&] { return rest && (!is_last || rest->empty()); };
    for (std::size_t skip = 1; star && !failed && !fits() && skip <= name.size(); ++skip) {
      rest = match_chunk(chunk, name.substr(skip));
    }
    if (failed || !fits()) {
      failed = true;
    } else {
      name = *rest;
    }
  }
  return !failed && name.empty();
}

}  // namespace

bool match_component(std::string_view pattern, std::string_view name) {
  try {
    return match(pattern, name);
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
