#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/digest.h"

namespace mbuild::graph {

// Where bytes come from.
struct ImageSource {
  std::string name;            // NAME@DIGEST
  std::vector<Digest> layers;  // diff ids: these alone are the key
};

struct LocalSource {                 // a directory of the user's
  std::string name;                  // "context", "dockerfile", or that of a named context
  std::vector<std::string> exclude;  // .dockerignore patterns
  // Where several targets share a graph: what tells directories apart there, in place of their names. In no key.
  std::string directory = {};
};

struct HttpSource {
  std::string url;
  std::string checksum, filename;
  std::string mode, uid, gid;  // octal; numbers; ""
};

struct GitSource {
  std::string place;   // HOST/PATH
  std::string remote;  // the address for git
  std::string ref, subdir, checksum, mtime;
  bool keep_git_dir = false, submodules = true, fetch_by_commit = false;
};

using SourceOp = std::variant<ImageSource, LocalSource, HttpSource, GitSource>;

// A source in BuildKit's words: what messages and source policies call it, and what its canonical encoding is made of.
// image://NAME@DIGEST   "layers" = comma-separated diff ids
// local://NAME          "exclude" = newline-separated patterns
// http://... https://...  "checksum", "filename", "mode", "uid", "gid"
// git://HOST/PATH       "remote", "ref", "subdir", "checksum", "mtime", "keep-git-dir" ("true"), "submodules"
// ("false"),
//                       "fetch-by-commit" ("true")
// What is empty or as usual is left out.
using SourceAttributes = std::map<std::string, std::string>;
std::string identifier_of(const SourceOp& source);
SourceAttributes source_attributes(const SourceOp& source);

// The way back. Throws Error (internal) for an identifier of another form.
SourceOp source_of(const std::string& identifier, const SourceAttributes& attributes);

bool is_http_address(std::string_view text);
// The name of the file that an http address leads to; "__unnamed__" where its path has none.
std::string http_file_name(std::string_view address);

}  // namespace mbuild::graph
