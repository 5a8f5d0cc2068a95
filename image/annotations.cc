#include "image/annotations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::image {
namespace {

constexpr std::array k_places = {
    std::pair{std::string_view("manifest"), AnnotationPlace::manifest},
    std::pair{std::string_view("manifest-descriptor"), AnnotationPlace::manifest_descriptor},
    std::pair{std::string_view("index"), AnnotationPlace::index},
    std::pair{std::string_view("index-descriptor"), AnnotationPlace::index_descriptor},
};

AnnotationPlace parse_place(std::string_view word) {
  std::vector<std::string> known;
  for (const auto& [name, place] : k_places) {
    if (name == word) return place;
    known.emplace_back(name);
  }
  throw Error(ExitClass::usage, fmt::format("unknown annotation type \"{}\"{}", word, did_you_mean(word, known)))
      .with_advice("Types are " + join(known, ", ") + ".");
}

bool is_of_index(AnnotationPlace place) {
  return place == AnnotationPlace::index || place == AnnotationPlace::index_descriptor;
}

// "manifest[linux/arm64]" -> place and platform.
Annotation parse_target(std::string_view text) {
  Annotation annotation;
  const auto open = text.find('[');
  const auto word = text.substr(0, open);
  if (!word.empty()) annotation.place = parse_place(word);
  if (open == std::string_view::npos) return annotation;
  if (!text.ends_with(']') || text.size() - open < 3) {
    throw Error(
        ExitClass::usage,
        fmt::format("invalid annotation type \"{}\", expected type and optional platform in square brackets", text));
  }
  annotation.platform = platforms::parse_platform(text.substr(open + 1, text.size() - open - 2));
  if (is_of_index(annotation.place)) {
    throw Error(ExitClass::usage, fmt::format("invalid annotation type \"{}\": an index has no platform", text));
  }
  return annotation;
}

}  // namespace

std::vector<Annotation> parse_annotation(std::string_view text) {
  const auto equals = text.find('=');
  const auto name = text.substr(0, equals);
  const auto colon = name.find(':');
  const auto key = colon == std::string_view::npos ? name : name.substr(colon + 1);
  if (equals == std::string_view::npos || key.empty()) {
    throw Error(ExitClass::usage, fmt::format("invalid annotation \"{}\", expected key=value", text));
  }
  std::vector<Annotation> annotations;
  const auto types = colon == std::string_view::npos ? std::string_view() : name.substr(0, colon);
  for (const auto& type : split(types, ',')) {
    auto& annotation = annotations.emplace_back(parse_target(type));
    annotation.key = key;
    annotation.value = text.substr(equals + 1);
  }
  return annotations;
}

std::optional<Annotation> parse_annotation_attribute(std::string_view name, std::string_view value) {
  constexpr std::string_view k_word = "annotation";
  if (!name.starts_with(k_word)) return std::nullopt;
  std::string_view rest = name.substr(k_word.size());
  const bool with_type = rest.starts_with('-');
  if (with_type) rest.remove_prefix(1);
  const auto bracket = rest.find('[');
  const auto dot = rest.find('.', bracket < rest.find('.') ? rest.find(']') : 0);
  if (dot == std::string_view::npos || dot + 1 == rest.size()) return std::nullopt;
  if (!with_type && dot > 0 && rest.front() != '[') return std::nullopt;
  Annotation annotation = parse_target(rest.substr(0, dot));
  annotation.key = rest.substr(dot + 1);
  annotation.value = value;
  return annotation;
}

std::map<std::string, std::string> annotations_for(std::span<const Annotation> annotations, AnnotationPlace place,
                                                   const platforms::Platform* platform) {
  std::map<std::string, std::string> result;
  // What is said of one platform goes before what is said of all.
  for (const bool specific : {false, true}) {
    for (const auto& annotation : annotations) {
      if (annotation.place != place || annotation.platform.has_value() != specific) continue;
      if (specific && (platform == nullptr || *annotation.platform != *platform)) continue;
      result[annotation.key] = annotation.value;
    }
  }
  return result;
}

void check_annotations(std::span<const Annotation> annotations, std::span<const platforms::Platform> platforms) {
  for (const auto& annotation : annotations) {
    if (annotation.platform && std::ranges::find(platforms, *annotation.platform) == platforms.end()) {
      throw Error(ExitClass::usage, fmt::format("invalid annotation: no platform {} found in source",
                                                platforms::to_string(*annotation.platform)))
          .with_advice("Annotate a platform that is built, see --platform.");
    }
    if (is_of_index(annotation.place) && platforms.size() < 2) {
      throw Error(ExitClass::usage, "index annotations not supported for single platform export")
          .with_advice("An image for one platform has no index; annotate the manifest.");
    }
  }
}

}  // namespace mbuild::image
