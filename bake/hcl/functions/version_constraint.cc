#include "bake/hcl/functions/version_constraint.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace mbuild::bake::hcl {

namespace {

using Constraints = std::vector<VersionConstraint>;

constexpr std::array<std::string_view, 11> k_operators{"!=", ">=", "=>", "<=", "=<", "~>", "=", ">", "<", "~", "^"};

bool is_identifier(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.'; });
}

std::optional<std::uint64_t> parse_part(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

bool is_wildcard(std::string_view part) { return part == "x" || part == "X" || part == "*"; }

// What stands before `separator`, taken with it; all where there is none.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t place = text.find(separator);
  const std::string_view part = text.substr(0, place);
  text.remove_prefix(place == std::string_view::npos ? text.size() : place + 1);
  return part;
}

// A version that may have wildcards; how much it says is told by the precision.
std::optional<VersionConstraint> parse_pattern(std::string_view text) {
  if (text.starts_with('v')) {
    text.remove_prefix(1);
  }
  const std::size_t plus = text.find('+');
  if (plus != std::string_view::npos && !is_identifier(text.substr(plus + 1))) {
    return std::nullopt;
  }
  text = text.substr(0, plus);
  const std::size_t dash = text.find('-');
  VersionConstraint result;
  if (dash != std::string_view::npos) {
    result.version.prerelease = text.substr(dash + 1);
    if (!is_identifier(result.version.prerelease)) {
      return std::nullopt;
    }
    text = text.substr(0, dash);
  }
  if (text.empty() || text.ends_with('.') || std::count(text.begin(), text.end(), '.') > 2) {
    return std::nullopt;
  }
  result.precision = Precision::none;
  bool wildcards = false;
  for (std::uint64_t* part : {&result.version.major, &result.version.minor, &result.version.patch}) {
    if (text.empty()) {
      break;
    }
    const std::string_view word = take_until(text, '.');
    const auto number = parse_part(word);
    wildcards = wildcards || is_wildcard(word);
    if (!number && !is_wildcard(word)) {
      return std::nullopt;
    }
    if (!wildcards) {
      *part = *number;
      result.precision = static_cast<Precision>(static_cast<int>(result.precision) + 1);
    }
  }
  return result;
}

std::string_view take_operator(std::string_view& text) {
  for (const std::string_view each : k_operators) {
    if (text.starts_with(each)) {
      text.remove_prefix(each.size());
      return each == "=>" ? ">=" : each == "=<" ? "<=" : each == "~>" ? "~" : each;
    }
  }
  return "";
}

void skip_separators(std::string_view& text, std::string_view separators) {
  text.remove_prefix(std::min(text.find_first_not_of(separators), text.size()));
}

// "a - b", which is ">=a <=b".
bool take_range(std::string_view& text, Constraints& constraints) {
  const std::size_t dash = text.find(" - ");
  if (dash == std::string_view::npos) {
    return false;
  }
  auto low = parse_pattern(text.substr(0, std::min(text.find(' '), dash)));
  std::string_view rest = text.substr(dash + 3);
  skip_separators(rest, " ");
  const std::size_t size = std::min(rest.find_first_of(" ,"), rest.size());
  auto high = parse_pattern(rest.substr(0, size));
  if (text.find(' ') < dash || !low || !high) {
    return false;
  }
  low->op = ">=";
  high->op = "<=";
  constraints.insert(constraints.end(), {*low, *high});
  text = rest.substr(size);
  return true;
}

bool take_constraint(std::string_view& text, Constraints& constraints) {
  if (take_range(text, constraints)) {
    return true;
  }
  const std::string_view op = take_operator(text);
  skip_separators(text, " ");
  const std::size_t size = std::min(text.find_first_of(" ,"), text.size());
  auto constraint = parse_pattern(text.substr(0, size));
  if (!constraint) {
    return false;
  }
  constraint->op = op;
  constraints.push_back(*constraint);
  text.remove_prefix(size);
  return true;
}

int compare_numbers(std::uint64_t a, std::uint64_t b) { return a < b ? -1 : a > b; }

// Numbers come before words, and fewer parts before more.
int compare_prereleases(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const std::string_view x = take_until(a, '.');
    const std::string_view y = take_until(b, '.');
    const auto left = parse_part(x);
    const auto right = parse_part(y);
    const int order = left && right ? compare_numbers(*left, *right) : left ? -1 : right ? 1 : x.compare(y);
    if (order != 0) {
      return order < 0 ? -1 : 1;
    }
  }
  return a.empty() ? (b.empty() ? 0 : -1) : 1;
}

// The parts that the constraint gives are those of the version.
bool same_parts(const Version& version, const VersionConstraint& constraint) {
  return (constraint.precision < Precision::major || version.major == constraint.version.major) &&
         (constraint.precision < Precision::minor || version.minor == constraint.version.minor) &&
         (constraint.precision < Precision::patch || compare(version, constraint.version) == 0);
}

// "~1.2.3": the patch may grow; with less given, what is not.
bool within_tilde(const Version& version, const VersionConstraint& constraint) {
  VersionConstraint minor = constraint;
  minor.precision = std::min(constraint.precision, Precision::minor);
  return compare(version, constraint.version) >= 0 && same_parts(version, minor);
}

// "^1.2.3": what follows the first part that is not zero may grow.
bool within_caret(const Version& version, const VersionConstraint& constraint) {
  const Version& least = constraint.version;
  if (compare(version, least) < 0 || version.major != least.major) {
    return constraint.precision == Precision::none && compare(version, least) >= 0;
  }
  if (least.major > 0 || constraint.precision <= Precision::major) {
    return true;
  }
  if (version.minor != least.minor) {
    return false;
  }
  return least.minor > 0 || constraint.precision <= Precision::minor || version.patch == least.patch;
}

bool holds(const Version& version, const VersionConstraint& constraint) {
  const std::string& op = constraint.op;
  // A prerelease is only what somebody asked for who named one.
  if (!version.prerelease.empty() && constraint.version.prerelease.empty()) {
    return false;
  }
  const int order = compare(version, constraint.version);
  const bool same = same_parts(version, constraint);
  if (op.empty() || op == "=") return same;
  if (op == "!=") return !same;
  if (op == ">") return order > 0 && !same;
  if (op == "<") return order < 0;
  if (op == ">=") return order >= 0;
  if (op == "<=") return order <= 0 || same;
  return op == "~" ? within_tilde(version, constraint) : within_caret(version, constraint);
}

}  // namespace

std::optional<Version> parse_version(std::string_view text) {
  const auto pattern = parse_pattern(text);
  const auto given = text.substr(0, text.find_first_of("-+"));
  return pattern && given.find_first_of("xX*") == std::string_view::npos ? std::optional(pattern->version)
                                                                         : std::nullopt;
}

int compare(const Version& a, const Version& b) {
  for (const auto part : {&Version::major, &Version::minor, &Version::patch}) {
    if (const int order = compare_numbers(a.*part, b.*part)) {
      return order;
    }
  }
  if (a.prerelease.empty() || b.prerelease.empty()) {
    return int{a.prerelease.empty()} - int{b.prerelease.empty()};
  }
  return compare_prereleases(a.prerelease, b.prerelease);
}

std::optional<VersionConstraints> parse_constraints(std::string_view text) {
  VersionConstraints alternatives;
  while (true) {
    const std::size_t bars = text.find("||");
    std::string_view alternative = text.substr(0, bars);
    Constraints constraints;
    for (skip_separators(alternative, " ,"); !alternative.empty(); skip_separators(alternative, " ,")) {
      if (!take_constraint(alternative, constraints)) {
        return std::nullopt;
      }
    }
    if (constraints.empty()) {
      return std::nullopt;
    }
    alternatives.push_back(std::move(constraints));
    if (bars == std::string_view::npos) {
      return alternatives;
    }
    text.remove_prefix(bars + 2);
  }
}

bool satisfies(const Version& version, const VersionConstraints& constraints) {
  return std::any_of(constraints.begin(), constraints.end(), [&](const Constraints& all) {
    return std::all_of(all.begin(), all.end(), [&](const VersionConstraint& each) { return holds(version, each); });
  });
}

}  // namespace mbuild::bake::hcl
