#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "platforms/platform.h"

// Manifests and indexes of images, in OCI's and in Docker's media types.
namespace mbuild::image {

namespace media_type {
inline constexpr std::string_view k_oci_index = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view k_oci_manifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view k_oci_config = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view k_oci_layer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view k_oci_layer_gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view k_oci_layer_zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view k_oci_foreign_layer = "application/vnd.oci.image.layer.nondistributable.v1.tar";
inline constexpr std::string_view k_oci_foreign_layer_gzip =
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
inline constexpr std::string_view k_oci_foreign_layer_zstd =
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
inline constexpr std::string_view k_oci_empty = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view k_docker_index = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view k_docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view k_docker_config = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view k_docker_layer = "application/vnd.docker.image.rootfs.diff.tar";
inline constexpr std::string_view k_docker_layer_gzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view k_docker_layer_zstd = "application/vnd.docker.image.rootfs.diff.tar.zstd";
inline constexpr std::string_view k_docker_foreign_layer_gzip =
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
inline constexpr std::string_view k_attestation = "application/vnd.docker.attestation.manifest.v1+json";
inline constexpr std::string_view k_in_toto = "application/vnd.in-toto+json";
}  // namespace media_type

inline constexpr std::string_view k_annotation_ref_name = "org.opencontainers.image.ref.name";
inline constexpr std::string_view k_annotation_created = "org.opencontainers.image.created";
inline constexpr std::string_view k_annotation_image_name = "io.containerd.image.name";
inline constexpr std::string_view k_annotation_reference_type = "vnd.docker.reference.type";
inline constexpr std::string_view k_annotation_reference_digest = "vnd.docker.reference.digest";

enum class MediaFlavour { oci, docker };

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::optional<platforms::Platform> platform;
  std::map<std::string, std::string> annotations;
  std::vector<std::string> urls;
  std::string artifact_type;
};

struct Manifest {
  std::string media_type;
  std::string artifact_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  std::optional<Descriptor> subject;
  std::map<std::string, std::string> annotations;
};

struct Index {
  std::string media_type;
  std::string artifact_type;
  std::vector<Descriptor> manifests;
  std::optional<Descriptor> subject;
  std::map<std::string, std::string> annotations;
};

// Throw Error (network) that says what is wrong. A missing mediaType is filled in from the form of the document.
Manifest parse_manifest(std::string_view json);
Index parse_index(std::string_view json);
Descriptor parse_descriptor(std::string_view json);
// Throws Error (network) where a document of this media type ("" is not known) is neither an index nor a manifest of a
// version that is in use.
void check_is_image_or_index(std::string_view json, std::string_view media_type);
// True where the document has the form of an index, by its mediaType or its members.
bool is_index_document(std::string_view json);

// Members in a fixed order: equal values are equal bytes. Optional members that are empty are left out.
std::string serialise_manifest(const Manifest& manifest);
std::string serialise_index(const Index& index);
std::string serialise_descriptor(const Descriptor& descriptor);

// Media type, digest and size of `bytes`.
Descriptor describe(std::string_view media_type, std::string_view bytes);

bool is_index_type(std::string_view media_type);
bool is_manifest_type(std::string_view media_type);
bool is_layer_type(std::string_view media_type);
// True for the manifests that attest another one (platform unknown/unknown or annotated so).
bool is_attestation(const Descriptor& descriptor);
// The entries of an index that can be understood: one that can't be does not hide the others.
std::vector<Descriptor> parse_listing(std::string_view json);
// What a manifest or index says that it refers to; nothing where it does not, or is not of the descriptor's media type.
struct Referrer {
  Digest subject;
  Descriptor descriptor;  // as listings of referrers have it: with artifact type and annotations
};
std::optional<Referrer> parse_referrer(const Descriptor& descriptor, std::string_view bytes);
// The media type of the same layer in the other flavour. Throws Error (usage) for zstd in Docker's.
std::string layer_type_in(std::string_view media_type, MediaFlavour flavour);

}  // namespace mbuild::image
