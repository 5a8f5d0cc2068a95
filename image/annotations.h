#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "image/exporters.h"
#include "platforms/platform.h"

// Annotations that the user gives to an image, and the four places where they can go.
namespace mbuild::image {

enum class AnnotationPlace { manifest, manifest_descriptor, index, index_descriptor };

struct Annotation {
  AnnotationPlace place = AnnotationPlace::manifest;
  std::optional<platforms::Platform> platform;  // none: for all images
  std::string key, value;
};

// "[TYPE[PLATFORM],...:]KEY=VALUE", one annotation for each type. Throws Error (usage).
std::vector<Annotation> parse_annotation(std::string_view text);
// The exporter attribute "annotation[-TYPE][PLATFORM].KEY"; nothing where the name is of another form. Throws Error
// (usage) for an unknown type or platform.
std::optional<Annotation> parse_annotation_attribute(std::string_view name, std::string_view value);

// The annotations of one place that concern an image for `platform`; of an index, with none.
std::map<std::string, std::string> annotations_for(std::span<const Annotation> annotations, AnnotationPlace place,
                                                   const platforms::Platform* platform = nullptr);
// Throws Error (usage) where an annotation can't be put: a platform that is not built, an index that will not be.
void check_annotations(std::span<const Annotation> annotations, std::span<const platforms::Platform> platforms);

}  // namespace mbuild::image
