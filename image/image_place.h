#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "oci/manifest.h"
#include "oci/select_image.h"
#include "remote/registry.h"

// An image where it is: in a repository of a registry, in an OCI layout, or in a tar (an OCI archive, or what
// `docker save` wrote).
namespace mbuild::image {

struct ImagePlace {
  std::string name;  // as messages and listings call it: "docker.io/library/app:1"
  Descriptor top;    // the manifest or index that the reference means
  ReadDocument read;
  // A blob from its first byte. One of a registry is verified; of the others the reader has to check the digest.
  std::function<Fd(const Descriptor&)> open;
  // What refers to a manifest (signatures, SBOMs), by the word of the registry or the layout. A tar can't tell.
  std::function<std::vector<Descriptor>(const Digest& subject)> referrers;
  std::optional<remote::Repository> repository;
  std::string layout;  // directory
};

// Makes the registry client when it is first needed.
using GetRegistry = std::function<remote::Registry&()>;

// `reference` is "oci-layout:[//]DIR[:TAG][@DIGEST]", the path of a layout directory or of a tar, or a name on a
// registry. Throws Error.
ImagePlace find_image_place(std::string_view reference, const GetRegistry& registry, const std::stop_token& stop);

// A listed referrer and its bytes, if it is there and says itself that it refers to the subject: listings are not to be
// trusted, and may be out of date.
struct ReadReferrer {
  Descriptor descriptor;  // as listings have it
  std::string bytes;
};
std::optional<ReadReferrer> read_referrer(const ImagePlace& place, const Descriptor& listed, const Digest& subject);

// Whether the reference is of an OCI layout by its form.
bool is_layout_reference(std::string_view reference);
// "DIR:TAG" of "oci-layout:DIR:TAG" and of "oci-layout://DIR:TAG"; what has no such word is returned as it is.
std::string_view without_layout_word(std::string_view reference);

}  // namespace mbuild::image
