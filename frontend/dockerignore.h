#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

// .dockerignore files and their patterns (moby/patternmatcher semantics; also used for COPY --exclude).
namespace mbuild::frontend {

// The patterns of a .dockerignore text: comments, blanks, BOM and leading slashes dropped, paths cleaned.
// Throws Error (usage) for "!" alone.
std::vector<std::string> parse_dockerignore(std::string_view text);

class IgnoreMatcher {
 public:
  // Throws Error (usage) naming a malformed pattern.
  explicit IgnoreMatcher(const std::vector<std::string>& patterns);
  ~IgnoreMatcher();
  IgnoreMatcher(IgnoreMatcher&&) noexcept;
  IgnoreMatcher& operator=(IgnoreMatcher&&) noexcept;

  // What each pattern said of a directory; for the root it is empty.
  using DirectoryState = std::vector<bool>;

  // True when `path` (relative, slash-separated) is excluded, itself or by a parent directory.
  bool excludes(std::string_view path) const;
  // The same in a walk, which has the state of the parent directory at hand; `state` becomes that of `path`.
  bool excludes(std::string_view path, const DirectoryState& parent, DirectoryState& state) const;
  // True when nothing below directory `path` can be re-included by a "!" pattern, so that an excluded directory
  // need not be walked.
  bool can_skip_directory(std::string_view path) const;
  bool has_exceptions() const;
  bool empty() const;

 private:
  struct Pattern;
  std::vector<Pattern> patterns_;
};

}  // namespace mbuild::frontend
