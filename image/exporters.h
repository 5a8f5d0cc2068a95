#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "layers/layer_tar.h"
#include "oci/image_config.h"
#include "oci/manifest.h"
#include "platforms/platform.h"

// Writing finished images and trees where the user wants them.
namespace mbuild::image {

struct FinishedImage {
  platforms::Platform platform;
  Descriptor manifest;  // with platform, and the annotations that its entry in an index shall have
  std::string config_bytes;
  std::string manifest_bytes;
  Descriptor config;
  std::vector<Descriptor> layers;
};

// Config and manifest of an image. `config` has the diff ids and the history; media types of layers are changed to the
// flavour's. Throws Error (internal) when diff ids and layers do not correspond.
FinishedImage assemble_image(const frontend::ImageConfig& config, std::vector<Descriptor> layers,
                             const platforms::Platform& platform, MediaFlavour flavour,
                             const std::map<std::string, std::string>& annotations = {},
                             const std::string& artifact_type = "");

struct ImageSet {
  std::vector<FinishedImage> images;  // one a platform; attestation manifests after them
  std::vector<std::string> names;     // normalised references, "docker.io/library/app:v1"
  MediaFlavour flavour = MediaFlavour::oci;
  std::map<std::string, std::string> index_annotations;       // in the index itself
  std::map<std::string, std::string> descriptor_annotations;  // on the entries of index.json
  std::string created;  // RFC 3339, annotation of the entries of index.json; "": none
};

// What a set is called by: the manifest of a single image, or the image index of several.
struct TopLevel {
  Descriptor descriptor;
  std::string bytes;
};
TopLevel top_level(const ImageSet& set);

// A blob that an export consists of: in memory, or to be opened.
struct Blob {
  Descriptor descriptor;
  const std::string* bytes = nullptr;  // into the set or the top level
};
// Each blob once: of each image manifest, config and layers.
std::vector<Blob> blobs_of(const ImageSet& set, const TopLevel& top);

// Opens a layer blob by its digest.
using OpenBlob = std::function<Fd(const Digest&)>;

// An OCI layout as a directory (made if need be; other images in it are kept, entries of the same name replaced). Blobs
// are verified while they are copied. Returns the top-level descriptor.
Descriptor write_oci_directory(const ImageSet& set, const std::string& directory, const OpenBlob& open_blob);
// What `docker load` reads: the OCI layout with a manifest.json beside. Throws Error (usage) for several platforms;
// attestations are left out.
Descriptor write_docker_directory(const ImageSet& set, const std::string& directory, const OpenBlob& open_blob);

// The same as a tar. Layers can be added before the rest of the image is known: in the order in which blobs_of() has
// them, so that the bytes do not depend on when each was made. The descriptor is the caller's.
class LayoutTar {
 public:
  // A stop ends the copying of a blob: the archive is of no use then.
  explicit LayoutTar(int fd, std::stop_token stop = {});
  // A blob that was added already is left out.
  void add(const Blob& blob, const OpenBlob& open_blob);
  // A blob that is still being made: `copy` writes all of it to the descriptor, then tells what it is. Only for files
  // that can be sought in.
  void add_growing(const std::function<Descriptor(int fd)>& copy, const OpenBlob& open_blob);
  // One of these once: the blobs that are missing, and what names them. Return the top-level descriptor.
  Descriptor finish(const ImageSet& set, const OpenBlob& open_blob);
  Descriptor finish_for_docker(const ImageSet& set, const OpenBlob& open_blob);
  // Several images, each with its names; `docker load` finds those that consist of one manifest.
  void finish_all(std::span<const ImageSet> sets, const OpenBlob& open_blob);

 private:
  Descriptor add_blobs(const ImageSet& set, const OpenBlob& open_blob);
  void add_index(std::vector<Descriptor> entries);
  void add_file(const std::string& path, std::string_view content);

  int fd_;
  std::stop_token stop_;
  std::set<Digest> written_;
};

// One file system to be exported as files. `subdirectory` is "" or, where platforms are split, "linux_arm_v7".
struct ExportTree {
  platforms::Platform platform;
  std::string subdirectory;
  int root = -1;
  OwnerMode owners = OwnerMode::real;
  std::optional<std::int64_t> clamp_mtime;
};
// "linux/arm/v7" -> "linux_arm_v7".
std::string platform_directory(const platforms::Platform& platform);

enum class LocalMode { copy, remove };  // copy keeps what is there; remove (mode=delete) removes what is not exported

// Throws Error (usage) where two trees have the same file in the same place.
void check_collisions(std::span<const ExportTree> trees);
// Copies trees into a directory (made if need be) as the current user's files. Nothing in the directory is followed
// as a link. Throws Error (usage) for collisions, before anything is written.
void export_local(std::span<const ExportTree> trees, const std::string& destination, LocalMode mode = LocalMode::copy,
                  const std::stop_token& stop = {});
// The same as one tar, owners kept, sockets left out.
void export_tar(std::span<const ExportTree> trees, int fd, const std::stop_token& stop = {});

}  // namespace mbuild::image
