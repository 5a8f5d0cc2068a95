#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Semantic versions, and constraints of them as ">=1.2, <2 || ^3.1". Inner to the room.
namespace mbuild::bake::hcl {

struct Version {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::uint64_t patch = 0;
  std::string prerelease;  // without "-"
};

// "v" before it and missing parts after it are fine; build metadata does not count.
std::optional<Version> parse_version(std::string_view text);
int compare(const Version& a, const Version& b);

// How much of a version is given: in "1.x" and "1" the major part.
enum class Precision { none, major, minor, patch };

struct VersionConstraint {
  std::string op;  // "", "=", "!=", ">", "<", ">=", "<=", "~" or "^"
  Version version;
  Precision precision = Precision::patch;
};

// Alternatives, each of constraints that all have to hold.
using VersionConstraints = std::vector<std::vector<VersionConstraint>>;

std::optional<VersionConstraints> parse_constraints(std::string_view text);
bool satisfies(const Version& version, const VersionConstraints& constraints);

}  // namespace mbuild::bake::hcl
