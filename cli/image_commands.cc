#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/partial_file.h"
#include "base/strings.h"
#include "cli/cancel.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/container_parts.h"
#include "cli/display/terminal.h"
#include "cli/inspect_command.h"
#include "cli/registry_client.h"
#include "executor/outputs/kept_images.h"
#include "executor/outputs/stored_images.h"
#include "files/archive.h"
#include "files/uncompressed.h"
#include "image/copy_image.h"
#include "image/image_archive.h"
#include "oci/list_images.h"
#include "oci/reference.h"

namespace mbuild::cli {
namespace {

using nlohmann::ordered_json;

struct ImageFlags {
  std::string root, platform, file, format;
  std::vector<std::string> names;
  bool all_platforms = false, quiet = false, force = false;
};

std::string full_name(const std::string& word) {
  return frontend::to_string(frontend::with_default_tag(frontend::parse_reference(word)));
}

std::string asked_platform(const ImageFlags& flags) {
  return flags.platform.empty() ? environment_variable("DOCKER_DEFAULT_PLATFORM") : flags.platform;
}

std::optional<platforms::Platform> platform_of(const ImageFlags& flags) {
  if (flags.all_platforms && !flags.platform.empty())
    throw usage_error("--platform and --all-platforms can't be used together");
  if (flags.all_platforms) return std::nullopt;
  const auto text = asked_platform(flags);
  return text.empty() ? platforms::host_platform() : platforms::parse_platform_list(text).front();
}

int tag_image(const ImageFlags& flags) {
  if (flags.names.size() != 2) throw usage_error("mbuild tag takes two names: the image, and its new name");
  auto store = executor::open_store(store_root(flags.root));
  auto kept = executor::find_stored(store, flags.names[0]);
  const auto reference = frontend::with_default_tag(frontend::parse_reference(flags.names[1]));
  if (!reference.digest.empty()) throw usage_error(fmt::format("a new name has no digest: {}", flags.names[1]));
  kept.name = frontend::to_string(reference);
  store.add_image(kept);
  return 0;
}

int pull_images(const ImageFlags& flags) {
  CancelOnSignal cancel;
  RegistryClient client;
  const auto platform = platform_of(flags);
  auto store = executor::open_store(store_root(flags.root));
  for (const auto& word : flags.names) {
    const auto name = full_name(word);
    if (!flags.quiet) say("Pulling {}\n", name);
    const auto place = image::find_image_place(name, client.get(), cancel.token());
    const auto kept = executor::keep_image(place, {name}, platform, client.get(), store, cancel.token());
    flags.quiet ? print("{}\n", name) : print("{}@{}\n", name, kept.digest);
  }
  return 0;
}

int push_images(const ImageFlags& flags) {
  CancelOnSignal cancel;
  RegistryClient client;
  auto store = executor::open_store(store_root(flags.root));
  for (const auto& word : flags.names) {
    const auto name = full_name(word);
    const auto kept = store.find_image(name);
    if (!kept) {
      throw usage_error(fmt::format("the store has no image {}", word))
          .with_advice("mbuild images lists those there are; mbuild tag gives one the name of a registry.");
    }
    const auto target = image::parse_image_target(name);
    const auto place = executor::stored_place(store, *kept);
    if (!flags.quiet) say("Pushing {}\n", name);
    image::copy_content(place, place.top, target, client.get(), cancel.token());
    image::put_top(place.top, place.read(place.top), target, client.get(), cancel.token());
    flags.quiet ? print("{}\n", name) : print("{}@{}\n", name, kept->digest);
  }
  return 0;
}

// Of several platforms: the index as it is, byte for byte, after all that it lists.
image::ImageSet as_index(const image::ImageSet& set, const image::ImagePlace& place, const image::OpenBlob& open_blob,
                         image::LayoutTar& tar) {
  const auto made = image::top_level(set);
  for (const auto& blob : image::blobs_of(set, made)) {
    if (blob.descriptor.digest != made.descriptor.digest) tar.add(blob, open_blob);
  }
  auto top = set;
  top.images.resize(1);
  top.images.front().manifest = place.top;
  top.images.front().manifest_bytes = place.read(place.top);
  top.images.front().layers.clear();
  return top;
}

// An image of the store, with those of its names that were given.
struct Saved {
  cache::StoredImage kept;
  std::vector<std::string> names;
};

std::vector<Saved> saved_of(cache::Store& store, const std::vector<std::string>& words) {
  std::vector<Saved> out;
  for (const auto& word : words) {
    const auto one = executor::find_stored(store, word);
    auto same = std::ranges::find_if(out, [&](const auto& other) { return other.kept.digest == one.digest; });
    if (same == out.end()) same = out.insert(out.end(), Saved{one, {}});
    if (one.name != one.digest) same->names.push_back(one.name);
  }
  return out;
}

image::ImageSet set_of(const Saved& saved, const image::ImagePlace& place, const std::string& platform) {
  auto set = executor::stored_set(place, saved.names);
  const auto is_attestation = [](const auto& one) { return image::is_attestation(one.manifest); };
  if (!platform.empty()) {
    const auto wanted = platforms::parse_platform_list(platform).front();
    std::erase_if(set.images,
                  [&](const auto& one) { return is_attestation(one) || !platforms::satisfies(one.platform, wanted); });
    set.index_annotations.clear();
    if (set.images.empty()) {
      throw usage_error(fmt::format("{} is not for {}", saved.kept.name, platform))
          .with_advice("It is for " + saved.kept.platforms + ".");
    }
  }
  const auto images = set.images.size() - static_cast<std::size_t>(std::ranges::count_if(set.images, is_attestation));
  if (images == 1) std::erase_if(set.images, is_attestation);
  return set;
}

int save_image(const ImageFlags& flags) {
  CancelOnSignal cancel;
  auto store = executor::open_store(store_root(flags.root));
  const auto saved = saved_of(store, flags.names);
  std::vector<image::ImagePlace> places;
  std::vector<image::ImageSet> sets;
  for (const auto& one : saved) {
    places.push_back(executor::stored_place(store, one.kept));
    sets.push_back(set_of(one, places.back(), flags.platform));
  }
  if (flags.file.empty() && ::isatty(STDOUT_FILENO) == 1) {
    throw usage_error("an archive is not for a terminal").with_advice("Name a file with -o, or redirect the output.");
  }
  const auto open_blob = [&](const Digest& digest) { return open_file(store.blob_path(digest), O_RDONLY); };
  const auto archive_to = [&](int fd) {
    image::LayoutTar tar(fd, cancel.token());
    for (std::size_t i = 0; i < sets.size(); ++i) {
      if (sets[i].images.size() > 1) sets[i] = as_index(sets[i], places[i], open_blob, tar);
    }
    tar.finish_all(sets, open_blob);
  };
  if (flags.file.empty()) {
    archive_to(STDOUT_FILENO);
  } else {
    PartialFile file(flags.file);
    archive_to(file.fd());
    file.commit();
  }
  return 0;
}

// An archive as a file that can be read anywhere: standard input, and what is compressed, goes to one without a name in
// the store.
class InputFile {
 public:
  InputFile(const std::string& name, const cache::Store& store, const std::stop_token& stop) : path_(name) {
    if (name.empty() && ::isatty(STDIN_FILENO) == 1) {
      throw usage_error("standard input is a terminal, no archive").with_advice("Name a file with -i.");
    }
    if (std::filesystem::is_directory(name)) {
      throw usage_error(name + " is a directory: an archive is a file")
          .with_advice(fmt::format("An image in a directory (an OCI layout) is run by mbuild run oci-layout:{}", name));
    }
    const Fd given = name.empty() ? duplicate(STDIN_FILENO) : open_file(name, O_RDONLY);
    if (!name.empty() && !executor::is_compressed(given.get())) return;
    file_ = open_file(store.work_directory(), O_TMPFILE | O_RDWR, 0600);
    copy_uncompressed(given.get(), file_.get(), stop);
    path_ = fmt::format("/proc/self/fd/{}", file_.get());
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Fd file_;
};

// Of what it is called in an archive; some is a name there alone.
std::vector<std::string> names_in_store(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const auto& text : texts) {
    try {
      out.push_back(full_name(text));
    } catch (const Error&) {
    }
  }
  return out;
}

// As docker prints it.
std::string familiar(const std::string& name) {
  return name.starts_with("sha256:") ? name : frontend::familiar_string(frontend::parse_reference(name));
}

int load_image(const ImageFlags& flags) {
  CancelOnSignal cancel;
  RegistryClient client;
  auto store = executor::open_store(store_root(flags.root));
  const InputFile input(flags.file, store, cancel.token());
  const image::ImageArchive archive(input.path());
  auto place = image::find_image_place(input.path(), client.get(), cancel.token());
  for (const auto& image : archive.images()) {
    place.top = image.top;
    auto names = names_in_store(image.names);
    const bool is_nameless = names.empty();
    if (is_nameless) names.push_back(place.top.digest);
    executor::keep_image(place, names, std::nullopt, client.get(), store, cancel.token());
    for (const auto& name : names) print("Loaded image{}: {}\n", is_nameless ? " ID" : "", familiar(name));
  }
  return 0;
}

// ---- what an image says of itself

struct Shown {
  cache::StoredImage kept;
  image::ImageDescription description;
};

Shown shown(cache::Store& store, const std::string& platform_text, const std::string& word) {
  auto kept = executor::find_stored(store, word);
  const auto place = executor::stored_place(store, kept);
  const auto there = image::list_images(place.top, place.read);
  const auto text = platform_text.empty() ? environment_variable("DOCKER_DEFAULT_PLATFORM") : platform_text;
  auto platform = text.empty() ? platforms::host_platform() : platforms::parse_platform_list(text).front();
  if (text.empty() && there.size() == 1) platform = there.front().platform;
  auto description = image::select_image(place.top, platform, place.read, word, false);
  return {std::move(kept), std::move(description)};
}

int inspect_images(const ImageFlags& flags) {
  auto store = executor::open_store(store_root(flags.root));
  return show_inspected(flags.names, flags.format,
                        [&](const auto& word) { return image_json(store, word, flags.platform); });
}

int show_history(const ImageFlags& flags) {
  auto store = executor::open_store(store_root(flags.root));
  const auto image = shown(store, flags.platform, flags.names.front());
  const auto config = frontend::parse_image_config(image.description.config_bytes);
  print("{:<20}  {}\n", "CREATED", "CREATED BY");
  for (auto entry = config.history.rbegin(); entry != config.history.rend(); ++entry) {
    print("{:<20}  {}\n", entry->created.substr(0, 20), clean_line(entry->created_by));
  }
  return 0;
}

int remove_images(const ImageFlags& flags) {
  auto store = executor::open_store(store_root(flags.root));
  const auto remove = [&](const std::string& word) {
    for (const auto& name : executor::forget_image(store, word, flags.force)) print("Untagged: {}\n", name);
  };
  if (!flags.force) return for_each_name(flags.names, remove);
  return for_each_name(flags.names, [&](const auto& word) {
    executor::is_stored(store, word) ? remove(word) : say("the store has no image {}\n", word);
  });
}

// ---- the commands, each at the top and below `image`

void add_moving(Command& parent) {
  const auto flags = std::make_shared<ImageFlags>();
  add_store_command(parent, flags, "tag", "Give an image of the store another name", tag_image)
      .values("name", flags->names, "IMAGE NEW-NAME", Presence::required);
  add_store_command(parent, flags, "pull", "Fetch images of registries into the store", pull_images)
      .value("--platform", flags->platform, "Platform (default: this machine's)")
      .flag("-a,--all-platforms", flags->all_platforms, "All platforms, with the image index")
      .flag("-q,--quiet", flags->quiet, "Names only")
      .values("name", flags->names, "HOST/NAME:TAG", Presence::required);
  add_store_command(parent, flags, "push", "Send images of the store to their registries", push_images)
      .flag("-q,--quiet", flags->quiet, "Names only")
      .values("name", flags->names, "HOST/NAME:TAG", Presence::required);
  add_store_command(parent, flags, "save", "Write images of the store to an archive", save_image)
      .value("-o,--output", flags->file, "File (default: standard output)")
      .value("--platform", flags->platform, "The image for this platform alone")
      .values("name", flags->names, "Names or digests", Presence::required);
  add_store_command(parent, flags, "load", "Take images from an archive into the store", load_image)
      .value("-i,--input", flags->file, "File (default: standard input)")
      .flag("-q,--quiet", flags->quiet, "Accepted; there is no display");
}

// Names and digests of those names under which the store keeps the same.
void add_names(cache::Store& store, const cache::StoredImage& kept, ordered_json& into) {
  std::vector<std::string> tags, digests;
  for (const auto& other : store.images()) {
    if (other.digest != kept.digest || other.name == other.digest) continue;
    auto reference = frontend::parse_reference(other.name);
    if (reference.digest.empty()) tags.push_back(frontend::familiar_string(reference));
    reference.tag.clear();
    reference.digest = kept.digest;
    const auto text = frontend::familiar_string(reference);
    if (std::ranges::find(digests, text) == digests.end()) digests.push_back(text);
  }
  into["RepoTags"] = tags;
  into["RepoDigests"] = digests;
}

}  // namespace

ordered_json image_json(cache::Store& store, const std::string& word, const std::string& platform) {
  const auto image = shown(store, platform, word);
  const auto config = ordered_json::parse(image.description.config_bytes);
  const auto text = [&](const char* name) { return config.value(name, ""); };
  ordered_json out = {{"Id", image.kept.digest}};
  add_names(store, image.kept, out);
  out["Created"] = text("created");
  out["Author"] = text("author");
  out["Architecture"] = text("architecture");
  if (config.contains("variant")) out["Variant"] = config["variant"];
  out["Os"] = text("os");
  out["Size"] = image.kept.bytes;
  out["Config"] = config.value("config", ordered_json::object());
  const auto files = config.value("rootfs", ordered_json::object());
  out["RootFS"] = {{"Type", "layers"}, {"Layers", files.value("diff_ids", ordered_json::array())}};
  out["Platforms"] = split(image.kept.platforms, ',');
  out["Metadata"] = {{"LastTagTime", rfc3339(image.kept.created)}};
  return out;
}

void add_image_commands(Command& top) {
  add_moving(top);
  add_import_command(top);
  const auto flags = std::make_shared<ImageFlags>();
  add_store_command(top, flags, "rmi", "Remove names of images; their blobs go with the next prune", remove_images)
      .flag("-f,--force", flags->force, "All names of an image that is named by its digest")
      .values("name", flags->names, "Names or digests", Presence::required);
  Command image = top.add("image", "Work on the images of the store");
  image.require_subcommand();
  add_image_listing(image);
  add_moving(image);
  add_import_command(image);
  add_store_command(image, flags, "inspect", "Show images as JSON", inspect_images)
      .value("-f,--format", flags->format, "json or a template ({{.Id}})")
      .value("--platform", flags->platform, "The image for this platform")
      .values("name", flags->names, "Names or digests", Presence::required);
  add_store_command(image, flags, "history", "Show what an image was made by", show_history)
      .value("--platform", flags->platform, "The image for this platform")
      .values("name", flags->names, "Name or digest", Presence::required);
  add_store_command(image, flags, "rm", "Remove names of images", remove_images, "remove")
      .flag("-f,--force", flags->force, "All names of an image that is named by its digest")
      .values("name", flags->names, "Names or digests", Presence::required);
}

}  // namespace mbuild::cli
