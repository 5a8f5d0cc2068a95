#pragma once

#include <string>
#include <string_view>

// Image references: [domain/]path[:tag][@digest], as docker spells them.
namespace mbuild::frontend {

struct Reference {
  std::string domain;  // "docker.io", "localhost:5000", "[::1]:5000"
  std::string path;    // "library/alpine"
  std::string tag;     // "" when not given
  std::string digest;  // "sha256:...", "" when not given

  bool operator==(const Reference&) const = default;
};

// Reads a reference with docker's defaults filled in (docker.io, library/), but no tag added.
// Throws Error (usage): "invalid reference format" and what is wrong.
Reference parse_reference(std::string_view text);
// The same reference with tag "latest" when it has neither tag nor digest.
Reference with_default_tag(Reference reference);
// "docker.io/library/alpine:3.20@sha256:...".
std::string to_string(const Reference& reference);
// "docker.io/library/alpine".
std::string repository_name(const Reference& reference);
// The short form that users write: "alpine:3.20", "user/app", "ghcr.io/a/b".
std::string familiar_string(const Reference& reference);

}  // namespace mbuild::frontend
