// A CI matrix builds each platform in a job of its own and pushes it by digest; merge makes one image of them. What the
// jobs built is told by their metadata files, or by references. An index must not be put together of what does not
// belong together, so revisions and inputs are compared, and the tag is set last.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/fd.h"
#include "base/output_file.h"
#include "base/strings.h"
#include "cli/cancel.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/display/terminal.h"
#include "cli/kept_place.h"
#include "cli/metadata.h"
#include "cli/registry_client.h"
#include "oci/image_config.h"
#include "oci/list_images.h"
#include "oci/reference.h"

namespace mbuild::cli {
namespace {

using nlohmann::json;

constexpr const char* k_revision = "org.opencontainers.image.revision";

struct MergeFlags {
  std::vector<std::string> sources, tags, platforms;
  std::string root, metadata_file;
  bool allow_different = false;
};

// What a source says of how it was built: fact -> value.
using Facts = std::map<std::string, std::string>;

struct Part {
  std::string shown;
  image::IndexSource source;
  Facts facts;
};

std::string text_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// A metadata file: the reference of what it speaks of, and the facts.
std::string read_metadata(const std::string& path, Facts& facts) {
  if (!path_exists(path)) {
    throw Error(ExitClass::usage, fmt::format("{}: no such file", path))
        .with_advice("A source is the metadata file (--metadata-file) of a build, or HOST/NAME@DIGEST.");
  }
  const json metadata = json::parse(read_file(path), nullptr, false);
  if (metadata.is_discarded()) {
    throw Error(ExitClass::usage, fmt::format("{} is not JSON", path))
        .with_advice("It has to be what --metadata-file wrote for an image with a name.");
  }
  const std::string digest = metadata.is_object() ? text_in(metadata, "containerimage.digest") : "";
  const std::string name = metadata.is_object() ? text_in(metadata, "image.name") : "";
  if (digest.empty() || name.empty()) {
    throw Error(ExitClass::usage, fmt::format("{} does not name a pushed image", path))
        .with_advice("It has to be what --metadata-file wrote for an image with a name.");
  }
  if (const auto inputs = metadata.find(k_inputs_key); inputs != metadata.end() && inputs->is_object()) {
    for (const auto& [key, value] : inputs->items()) {
      if (value.is_string()) facts[key] = value.get<std::string>();
    }
  }
  return frontend::repository_name(frontend::parse_reference(name.substr(0, name.find(',')))) + "@" + digest;
}

// The revision that annotations or labels of the images tell.
void add_revision(Part& part) {
  const auto& place = part.source.place;
  for (const auto& image : image::list_images(part.source.descriptor, place.read)) {
    const auto manifest = image::parse_manifest(place.read(image.descriptor));
    const auto config = frontend::parse_image_config(place.read(manifest.config));
    for (const auto* values : {&manifest.annotations, &config.labels}) {
      if (const auto found = values->find(k_revision); found != values->end())
        part.facts.emplace("revision", found->second);
    }
  }
}

Part find_part(const std::string& text, KeptPlaces& places, const image::GetRegistry& registry,
               const std::stop_token& stop) {
  Part part{.shown = text, .source = {}, .facts = {}};
  const bool is_metadata = text.ends_with(".json") && text.find("://") == std::string::npos;
  auto place = places.find(is_metadata ? read_metadata(text, part.facts) : text, registry, stop);
  auto top = place.top;
  part.source = {std::move(place), std::move(top)};
  add_revision(part);
  return part;
}

void check_same(const std::vector<Part>& parts) {
  std::map<std::string, const Part*> first;
  for (const auto& part : parts) {
    for (const auto& [fact, value] : part.facts) {
      const auto [known, is_new] = first.emplace(fact, &part);
      if (is_new || known->second->facts.at(fact) == value) continue;
      throw Error(ExitClass::usage,
                  fmt::format("{} and {} were not built from the same: {} is {} and {}", known->second->shown,
                              part.shown, fact, known->second->facts.at(fact), value))
          .with_advice("Build all platforms from one commit with the same arguments, or merge with --allow-different.");
    }
  }
}

// Each expected platform once; without a list, no platform twice.
void check_platforms(const std::vector<Part>& parts, const MergeFlags& flags) {
  std::map<std::string, std::string> from;
  for (const auto& part : parts) {
    for (const auto& image : image::list_images(part.source.descriptor, part.source.place.read)) {
      const auto platform = platforms::to_string(image.platform);
      const auto [known, is_new] = from.emplace(platform, part.shown);
      if (!is_new) {
        throw Error(ExitClass::usage,
                    fmt::format("{} and {} both have an image for {}", known->second, part.shown, platform));
      }
    }
  }
  if (flags.platforms.empty()) return;
  std::vector<std::string> missing;
  for (const auto& platform : platforms::parse_platform_list(join(flags.platforms, ","))) {
    if (from.erase(platforms::to_string(platform)) == 0) missing.push_back(platforms::to_string(platform));
  }
  if (!missing.empty()) {
    throw Error(ExitClass::usage, "no source has an image for " + join(missing, ", "))
        .with_advice("A job of the matrix failed, or its result is not among the sources.");
  }
  if (!from.empty()) {
    throw Error(ExitClass::usage, fmt::format("{} has an image for {}, which is not expected", from.begin()->second,
                                              from.begin()->first));
  }
}

int run_merge(const MergeFlags& flags) {
  CancelOnSignal cancel;
  RegistryClient client;
  KeptPlaces places(flags.root);
  std::vector<Part> parts;
  for (const auto& text : flags.sources) parts.push_back(find_part(text, places, client.get(), cancel.token()));
  check_platforms(parts, flags);
  if (!flags.allow_different) check_same(parts);
  std::vector<image::IndexSource> sources;
  for (const auto& part : parts) sources.push_back(part.source);
  const auto combined = image::combine_index(sources, {});
  std::vector<image::ImageTarget> targets;
  for (const auto& tag : flags.tags) targets.push_back(image::parse_image_target(tag));
  publish(combined, sources, targets, client.get(), cancel.token());
  std::vector<std::string> names;
  for (const auto& target : targets) {
    print("{}@{}\n", target.name, combined.top.descriptor.digest);
    names.push_back(target.name);
  }
  if (!flags.metadata_file.empty()) {
    executor::BuildResult result{.descriptor = combined.top.descriptor, .names = std::move(names)};
    write_output(flags.metadata_file, metadata_json(result, "", nullptr));
  }
  return 0;
}

}  // namespace

void add_merge_command(Command& top) {
  auto flags = std::make_shared<MergeFlags>();
  Command merge = top.add("merge", "Make one image of platforms that were built in several places");
  merge.values("source=SOURCE", flags->sources,
               "Metadata file (*.json) of a build, NAME of the store, or HOST/NAME@DIGEST", Presence::required);
  merge.flag("--allow-different", flags->allow_different, "Of other revisions or build arguments, too");
  merge.value("--metadata-file=FILE", flags->metadata_file, "Write the result's digest as JSON");
  merge.values("--platform=LIST", flags->platforms, "The platforms that have to be there, and no others");
  merge.values("-t,--tag=NAME", flags->tags, "Target: HOST/NAME:TAG or oci-layout://DIR:TAG; several",
               Presence::required);
  add_root_option(merge, flags->root);
  merge.run([flags] { return run_merge(*flags); });
}

}  // namespace mbuild::cli
