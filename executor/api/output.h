#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "executor/api/attribute_values.h"
#include "image/annotations.h"
#include "layers/serialise.h"

// One --output, read once: nothing that comes after parse_output knows how an attribute is spelt.
namespace mbuild::executor {

enum class OutputType { oci, docker, local, tar, image, registry, cacheonly };
std::string_view to_string(OutputType type);

// What an image is asked to be: of oci, docker, image and registry.
struct ImageAttributes {
  std::vector<std::string> names;  // as they were written; none: the tags of the build
  bool push = false, push_by_digest = false;
  bool insecure = false;   // the registry that it is pushed to
  bool store = false;      // kept in the store
  bool canonical = false;  // stored under NAME@DIGEST as well
  bool as_tar = true;      // else a directory
  image::Compression compression = image::Compression::gzip;
  std::optional<int> level;
  bool force_compression = false;  // of pulled layers too
  bool oci_media_types = true;     // else Docker's, unless annotations need OCI's
  std::vector<image::Annotation> annotations;
};

// What the files of a result are asked to be: of local and tar.
struct FileAttributes {
  bool remove_others = false;          // local: files of the destination that the result lacks
  std::optional<bool> platform_split;  // a directory for each platform; none: where there are several
};

struct Output {
  OutputType type = OutputType::cacheonly;
  std::string destination;  // path, "-" is the standard output, "" where none was given
  bool load = false;        // docker: handed to a container engine, not written
  bool rewrite_timestamp = false;
  std::optional<std::int64_t> epoch;  // source-date-epoch
  ImageAttributes image;
  FileAttributes files;
  std::vector<std::string> ignored;  // messages about attributes that its type does not have
};

// The output that attributes ask for, "type" and "dest" among them. Names are told without case, but for what follows
// the dot of an annotation's; of those given twice the last counts. Throws Error (usage), in BuildKit's words.
Output parse_output(const AttributeList& attributes);
// One of a type with all that its attributes default to.
Output default_output(OutputType type);

bool is_image_type(OutputType type);

}  // namespace mbuild::executor
