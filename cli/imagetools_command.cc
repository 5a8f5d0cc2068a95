#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "base/clean_text.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/output_file.h"
#include "base/strings.h"
#include "cli/cancel.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/display/go_template.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "cli/kept_place.h"
#include "cli/registry_client.h"
#include "image/combine_index.h"
#include "image/copy_image.h"
#include "oci/list_images.h"

namespace mbuild::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t k_entries_shown = 200;  // entries of an index

struct CreateFlags {
  std::vector<std::string> sources, files, tags, annotations, platforms;
  std::string root, metadata_file, progress;
  bool append = false, dry_run = false, prefer_index = true;
};

struct InspectFlags {
  std::string root, name, format;
  bool raw = false;
};

// A source is a reference, or the JSON text of a descriptor, which is looked for where the target is.
image::IndexSource find_source(const std::string& text, const std::vector<std::string>& tags, KeptPlaces& places,
                               const image::GetRegistry& registry, const std::stop_token& stop) {
  if (!trim(text).starts_with('{')) {
    const std::string reference(trim(text));
    auto place = places.find_on_registry(reference, registry, stop, [&](const Error& error) {
      say("WARNING: {} is the image of the store, since the registry can't be asked: {}\n", reference, error.what());
    });
    auto top = place.top;
    return {std::move(place), std::move(top)};
  }
  const auto descriptor = image::parse_descriptor(text);
  if (tags.empty()) {
    throw Error(ExitClass::usage, "a descriptor as source needs --tag: it is looked for where the target is");
  }
  const auto target = image::parse_image_target(tags.front());
  const auto where = target.repository ? target.repository->to_string() : "oci-layout://" + target.layout;
  auto place = image::find_image_place(where + "@" + descriptor.digest, registry, stop);
  return {std::move(place), descriptor};
}

std::vector<image::IndexSource> find_sources(const CreateFlags& flags, KeptPlaces& places,
                                             const image::GetRegistry& registry, const std::stop_token& stop) {
  if (flags.append && flags.tags.empty()) {
    throw Error(ExitClass::usage, "--append needs --tag: the index to append to");
  }
  std::vector<std::string> texts;
  for (const auto& file : flags.files) texts.push_back(read_file(file));
  texts.insert(texts.end(), flags.sources.begin(), flags.sources.end());
  if (texts.empty()) throw Error(ExitClass::usage, "no sources specified");
  std::vector<image::IndexSource> sources;
  if (flags.append) {  // what the registry has, which others may have added to
    auto place = image::find_image_place(flags.tags.front(), registry, stop);
    auto top = place.top;
    sources.push_back({std::move(place), std::move(top)});
  }
  for (const auto& text : texts) sources.push_back(find_source(text, flags.tags, places, registry, stop));
  return sources;
}

void write_metadata(const CreateFlags& flags, const image::Descriptor& top,
                    const std::vector<image::ImageTarget>& targets) {
  if (flags.metadata_file.empty()) return;
  std::vector<std::string> names;
  for (const auto& target : targets) names.push_back(target.name);
  const ordered_json json = {{"containerimage.descriptor", ordered_json::parse(image::serialise_descriptor(top))},
                             {"containerimage.digest", top.digest},
                             {"image.name", join(names, ",")}};
  write_output(flags.metadata_file, json_text(json) + "\n");
}

int run_create(const CreateFlags& flags) {
  if (flags.tags.empty() && !flags.dry_run) {
    throw Error(ExitClass::usage, "can't push with no tags specified, please set --tag or --dry-run");
  }
  CancelOnSignal cancel;
  RegistryClient client;
  KeptPlaces places(flags.root);
  const auto sources = find_sources(flags, places, client.get(), cancel.token());
  image::CombineOptions options{.prefer_index = flags.prefer_index};
  if (!flags.platforms.empty()) options.platforms = platforms::parse_platform_list(join(flags.platforms, ","));
  for (const auto& text : flags.annotations) {
    for (auto& annotation : image::parse_annotation(text)) options.annotations.push_back(std::move(annotation));
  }
  const auto combined = image::combine_index(sources, options);
  for (const auto& platform : combined.overridden) {
    say("WARNING: several sources have an image for {}: the last one is taken\n", platform);
  }
  std::vector<image::ImageTarget> targets;
  for (const auto& tag : flags.tags) targets.push_back(image::parse_image_target(tag));
  if (flags.dry_run) {
    print_document(combined.top.bytes + "\n");
    return 0;
  }
  publish(combined, sources, targets, client.get(), cancel.token());
  for (const auto& target : targets) print("{}@{}\n", target.name, combined.top.descriptor.digest);
  write_metadata(flags, combined.top.descriptor, targets);
  return 0;
}

// ---- inspect

void print_annotations(const std::map<std::string, std::string>& annotations, const char* indent) {
  if (annotations.empty()) return;
  print("{}Annotations:\n", indent);
  for (const auto& [key, value] : annotations) print("{}  {}: {}\n", indent, clean_line(key), clean_line(value));
}

void print_text(const image::ImagePlace& place, const std::string& bytes) {
  print("Name:      {}\nMediaType: {}\nDigest:    {}\n", place.name, place.top.media_type, place.top.digest);
  if (!image::is_index_type(place.top.media_type)) return;
  const auto index = image::parse_index(bytes);
  print_annotations(index.annotations, "");
  print("\nManifests: \n");
  const auto repository = place.repository ? place.repository->to_string() : "oci-layout://" + place.layout;
  bool first = true;
  const auto shown = std::span(index.manifests).first(std::min(index.manifests.size(), k_entries_shown));
  for (const auto& manifest : shown) {
    print("{}  Name:        {}@{}\n  MediaType:   {}\n", first ? "" : "\n", repository, manifest.digest,
          manifest.media_type);
    if (manifest.platform) print("  Platform:    {}\n", platforms::to_string(*manifest.platform));
    print_annotations(manifest.annotations, "  ");
    first = false;
  }
  if (shown.size() < index.manifests.size()) {
    print("\nand {} more: --raw has all\n", index.manifests.size() - shown.size());
  }
}

ordered_json manifest_value(const image::ImagePlace& place, const std::string& bytes) {
  ordered_json value = {{"mediaType", place.top.media_type}, {"digest", place.top.digest}, {"size", bytes.size()}};
  const auto document = ordered_json::parse(bytes);
  for (const auto& [key, member] : document.items()) value[key] = member;
  return value;
}

// The config of an image, or those of several by platform.
ordered_json image_value(const image::ImagePlace& place) {
  const auto config_of = [&](const image::Descriptor& descriptor) {
    return ordered_json::parse(place.read(image::parse_manifest(place.read(descriptor)).config));
  };
  if (!image::is_index_type(place.top.media_type)) return config_of(place.top);
  ordered_json by_platform = ordered_json::object();
  for (const auto& image : image::list_images(place.top, place.read)) {
    by_platform[platforms::to_string(image.platform)] = config_of(image.descriptor);
  }
  return by_platform;
}

int run_inspect(const InspectFlags& flags) {
  if (flags.raw && !flags.format.empty()) {
    throw Error(ExitClass::usage, "--raw and --format can't be used together");
  }
  CancelOnSignal cancel;
  RegistryClient client;
  KeptPlaces places(flags.root);
  const auto place = places.find_on_registry(flags.name, client.get(), cancel.token());
  const std::string bytes = place.read(place.top);
  if (flags.raw) {
    print_document(bytes);
  } else if (flags.format.empty()) {
    print_text(place, bytes);
  } else {
    ordered_json data = {{"Name", place.name}, {"Manifest", manifest_value(place, bytes)}};
    if (flags.format.find("Image") != std::string::npos) data["Image"] = image_value(place);
    print("{}\n", fill_template(flags.format, data.dump()));
  }
  return 0;
}

void add_create(Command& tools) {
  auto flags = std::make_shared<CreateFlags>();
  Command create = tools.add("create", "Make an image index of images that are there already");
  create.values("source=SOURCE", flags->sources, "HOST/NAME:TAG, NAME@DIGEST, oci-layout://DIR:TAG, or a descriptor");
  create.values("--annotation=K=V", flags->annotations, "Annotation (index:KEY=VALUE, manifest-descriptor:KEY=VALUE)");
  create.flag("--append", flags->append, "Add to the index that the tag names");
  create.flag("--dry-run", flags->dry_run, "Print the index, change nothing");
  create.values("-f,--file=FILE", flags->files, "Read a source (reference or descriptor) from a file");
  create.value("--metadata-file=FILE", flags->metadata_file, "Write the digest as JSON");
  create.values("-p,--platform=LIST", flags->platforms, "Only these platforms of the sources");
  create.flag("--prefer-index,!--no-prefer-index", flags->prefer_index,
              "Make an index even of a single manifest (default true)");
  create.value("--progress", flags->progress, "Accepted; there is no display", Presence::hidden);
  create.values("-t,--tag=NAME", flags->tags, "Target: HOST/NAME:TAG or oci-layout://DIR:TAG; several");
  add_root_option(create, flags->root);
  create.run([flags] { return run_create(*flags); });
}

}  // namespace

void add_imagetools_command(Command& top) {
  Command tools = top.add("imagetools", "Work on images in registries and OCI layouts");
  tools.require_subcommand();
  add_create(tools);
  auto flags = std::make_shared<InspectFlags>();
  Command inspect = tools.add("inspect", "Show an image or index");
  inspect.value("name=IMAGE", flags->name, "HOST/NAME:TAG, oci-layout://DIR:TAG, or a tar", Presence::required);
  inspect.flag("--raw", flags->raw, "The manifest or index as it is");
  inspect.value("--format=TEMPLATE", flags->format, "Template: {{.Name}}, {{.Manifest.Digest}}, {{json .Image}}");
  add_root_option(inspect, flags->root);
  inspect.run([flags] { return run_inspect(*flags); });
}

}  // namespace mbuild::cli
