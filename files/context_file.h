#pragma once

#include <optional>
#include <string>

// Files that are read for what they say, as Dockerfiles and lists of what to ignore. A context may come from somebody
// who is not trusted, so what it names is read within it only, and never without bound.
namespace mbuild::executor {

// The text of a file in a context: links are followed as in a root file system, so that none leads out. Nothing when
// there is no such file. Throws Error (usage) for what is no regular file, for a link that leads nowhere in the
// context, and for a file that is too large.
std::optional<std::string> read_context_file(int root, const std::string& path);

// The same of a file that the user has named: anything that can be read, wherever it is.
std::optional<std::string> read_named_file(const std::string& path);

}  // namespace mbuild::executor
