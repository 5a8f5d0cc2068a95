#include "frontend/dockerignore.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "frontend/dockerfile/text.h"
#include "frontend/glob.h"

// The last pattern that matches a path or one of its parent directories decides. As in BuildKit's walk of a context,
// what a pattern said of a directory holds for all below, and a pattern that could not have changed the verdict for
// the directory was not asked: for two "*/f" and "!d" lines d/f stays excluded, as d itself was never excluded.
namespace mbuild::frontend {
namespace {

constexpr std::string_view k_byte_order_mark = "\xef\xbb\xbf";

Error lone_exclamation_mark() { return Error(ExitClass::usage, "illegal exclusion pattern: \"!\""); }

std::string normalised(std::string_view pattern) {
  const bool exception = pattern.starts_with('!');
  if (exception) pattern = dockerfile::trim_space(pattern.substr(1));
  if (pattern.empty()) throw lone_exclamation_mark();
  auto path = clean_path(pattern);
  if (path.size() > 1 && path[0] == '/') path.erase(0, 1);
  return exception ? "!" + path : path;
}

// What has to be there literally for an exception to match: without the "/**" at its end.
std::string_view without_trailing_stars(std::string_view pattern) {
  for (const std::string_view ending : {"/**", "/*"}) {
    if (pattern.ends_with(ending)) return pattern.substr(0, pattern.size() - ending.size());
  }
  return pattern;
}

std::string path_in_context(std::string_view path) {
  auto cleaned = clean_path(path);
  if (cleaned.starts_with('/')) cleaned.erase(0, 1);
  return cleaned;
}

}  // namespace

struct IgnoreMatcher::Pattern {
  std::string text;
  bool exception;
  Glob glob;
};

std::vector<std::string> parse_dockerignore(std::string_view text) {
  if (text.starts_with(k_byte_order_mark)) text.remove_prefix(k_byte_order_mark.size());
  std::vector<std::string> out;
  for (const auto& line : split(text, '\n')) {
    if (line.starts_with('#')) continue;
    const auto pattern = dockerfile::trim_space(line);
    if (!pattern.empty()) out.push_back(normalised(pattern));
  }
  return out;
}

IgnoreMatcher::IgnoreMatcher(const std::vector<std::string>& patterns) {
  for (const auto& written : patterns) {
    const auto trimmed = dockerfile::trim_space(written);
    if (trimmed.empty()) continue;
    auto pattern = clean_path(trimmed);
    const bool exception = pattern[0] == '!';
    if (exception) pattern.erase(0, 1);
    if (pattern.empty()) throw lone_exclamation_mark();
    Glob glob(pattern);
    patterns_.push_back({std::move(pattern), exception, std::move(glob)});
  }
}

IgnoreMatcher::~IgnoreMatcher() = default;
IgnoreMatcher::IgnoreMatcher(IgnoreMatcher&&) noexcept = default;
IgnoreMatcher& IgnoreMatcher::operator=(IgnoreMatcher&&) noexcept = default;

bool IgnoreMatcher::excludes(std::string_view path, const DirectoryState& parent, DirectoryState& state) const {
  bool excluded = false;
  state.assign(patterns_.size(), false);
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    const auto& pattern = patterns_[i];
    bool match = !parent.empty() && parent[i];
    if (!match && pattern.exception == excluded) match = pattern.glob.matches(path);
    state[i] = match;
    if (match) excluded = !pattern.exception;
  }
  return excluded;
}

bool IgnoreMatcher::excludes(std::string_view path) const {
  const auto relative = path_in_context(path);
  path = relative;
  if (path.empty() || path == "." || patterns_.empty()) return false;
  DirectoryState parent, state;
  for (std::size_t end = 0;;) {
    end = std::min(path.find('/', end), path.size());
    const bool excluded = excludes(path.substr(0, end), parent, state);
    if (end == path.size() || (excluded && !has_exceptions())) return excluded;
    std::swap(parent, state);
    ++end;
  }
}

bool IgnoreMatcher::can_skip_directory(std::string_view path) const {
  const auto below = path_in_context(path) + "/";
  return std::ranges::none_of(patterns_, [&](const Pattern& pattern) {
    if (!pattern.exception) return false;
    const auto start = without_trailing_stars(pattern.text);
    if (start.find_first_of("*[]?^\\") != std::string_view::npos) return true;
    return (std::string(start) + "/").starts_with(below);
  });
}

bool IgnoreMatcher::has_exceptions() const { return std::ranges::any_of(patterns_, &Pattern::exception); }

bool IgnoreMatcher::empty() const { return patterns_.empty(); }

}  // namespace mbuild::frontend
