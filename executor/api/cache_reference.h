#pragma once

#include <optional>
#include <string>

#include "executor/api/attribute_values.h"
#include "layers/serialise.h"

// One --cache-from or --cache-to, read once.
namespace mbuild::executor {

struct CacheReference {
  std::string type;         // registry, local, inline, or one that is not supported
  std::string ref;          // registry
  std::string source;       // local: the directory that it is read from,
  std::string destination;  // and the one that it is written to
  std::string tag, digest;  // local: of the manifest; "" where none was given
  bool max = false;         // written: the layers of all steps, not only those of the images
  image::Compression compression = image::Compression::gzip;
  std::optional<int> level;
  bool ignore_error = false;
  bool reset = false;  // local: blobs that nothing names any more go

  bool operator==(const CacheReference&) const = default;
};
// For messages: the reference, or the directory.
std::string to_string(const CacheReference& reference);

enum class CacheUse { read, write };

// The cache that attributes ask for, "type" among them; their names are told without case, and of those given twice
// the last counts. What is asked of writing is not looked at for one that is read. Throws Error (usage), in BuildKit's
// words.
CacheReference parse_cache(const AttributeList& attributes, CacheUse use);

}  // namespace mbuild::executor
