#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.h"
#include "base/error.h"
#include "base/size_text.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/confirm.h"
#include "cli/container_parts.h"
#include "cli/display/listing.h"
#include "cli/display/terminal.h"
#include "cli/filters.h"
#include "cli/prune_filters.h"
#include "cli/removals.h"
#include "containers/log_time.h"
#include "containers/shelf.h"
#include "executor/outputs/kept_images.h"
#include "executor/outputs/stored_images.h"
#include "oci/image_config.h"
#include "oci/list_images.h"
#include "oci/reference.h"

namespace mbuild::cli {
namespace {

using nlohmann::ordered_json;

struct ImagesFlags {
  std::string root, format;
  std::vector<std::string> names, filters;
  bool all = false, quiet = false, whole = false, digests = false, force = false;
};

constexpr std::string_view k_none = "<none>";

// A name of an image, and what the image says of itself.
struct ListedImage {
  cache::StoredImage kept;
  std::string repository, tag;
  std::int64_t created = 0;  // seconds since 1970
  std::map<std::string, std::string> labels;
};

const Listing& images_listing(bool digests) {
  static const std::vector<Listing::Field> fields = {{"Containers", "CONTAINERS"},
                                                     {"CreatedAt", "CREATED AT"},
                                                     {"CreatedSince", "CREATED"},
                                                     {"Digest", "DIGEST"},
                                                     {"ID", "IMAGE ID"},
                                                     {"Name", "NAME"},
                                                     {"Platforms", "PLATFORMS"},
                                                     {"Repository", "REPOSITORY"},
                                                     {"SharedSize", "SHARED SIZE"},
                                                     {"Size", "SIZE"},
                                                     {"StoredAt", "STORED AT"},
                                                     {"Tag", "TAG"},
                                                     {"UniqueSize", "UNIQUE SIZE"},
                                                     {"VirtualSize", "VIRTUAL SIZE"}};
  static const std::string end = "{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.Platforms}}";
  static const Listing plain{.fields = fields, .table = "table {{.Repository}}\t{{.Tag}}\t" + end, .quiet = "ID"};
  static const Listing with_digests{
      .fields = fields, .table = "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t" + end, .quiet = "ID"};
  return digests ? with_digests : plain;
}

// The configuration of this machine's image, or of the first that there is.
frontend::ImageConfig config_of_stored(const image::ImagePlace& place) {
  const auto there = image::list_images(place.top, place.read);
  if (there.empty()) return {};
  const auto host = std::ranges::find_if(
      there, [](const auto& one) { return platforms::satisfies(one.platform, platforms::host_platform()); });
  const auto manifest = image::parse_manifest(place.read((host == there.end() ? there.begin() : host)->descriptor));
  return frontend::parse_image_config(place.read(manifest.config));
}

ListedImage listed_image(cache::Store& store, const cache::StoredImage& kept) {
  ListedImage out{.kept = kept, .repository = std::string(k_none), .tag = std::string(k_none), .labels = {}};
  if (kept.name != kept.digest) {
    auto reference = frontend::parse_reference(kept.name);
    if (!reference.tag.empty()) out.tag = reference.tag;
    reference.tag.clear();
    reference.digest.clear();
    out.repository = frontend::familiar_string(reference);
  }
  out.created = kept.created;
  try {
    const auto config = config_of_stored(executor::stored_place(store, kept));
    out.labels = config.labels;
    const auto time = containers::parse_log_time("created", config.created, {});
    out.created = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  } catch (const Error&) {
    // It says no time, or a part of it is gone.
  }
  return out;
}

std::vector<ListedImage> listed_images(cache::Store& store) {
  std::vector<ListedImage> out;
  for (const auto& kept : store.images()) out.push_back(listed_image(store, kept));
  std::ranges::stable_sort(out, std::greater<>(), &ListedImage::created);
  return out;
}

std::string shown_name(const ListedImage& image) {
  const auto& name = image.kept.name;
  return name == image.kept.digest ? name : frontend::familiar_string(frontend::parse_reference(name));
}

ordered_json row_of_image(const ListedImage& image, bool whole) {
  const auto& digest = image.kept.digest;
  constexpr std::size_t k_short = 12;
  return {{"Containers", "N/A"},
          {"CreatedAt", rfc3339(image.created)},
          {"CreatedSince", containers::ago(unix_seconds() - image.created) + " ago"},
          {"Digest", digest},
          {"ID", whole ? digest : digest_hex(digest).substr(0, k_short)},
          {"Name", shown_name(image)},
          {"Platforms", image.kept.platforms},
          {"Repository", image.repository},
          {"SharedSize", "N/A"},
          {"Size", size_text(image.kept.bytes)},
          {"StoredAt", rfc3339(image.kept.created)},
          {"Tag", image.tag},
          {"UniqueSize", "N/A"},
          {"VirtualSize", size_text(image.kept.bytes)}};
}

// ---- filters

using ImageTest = std::function<bool(const ListedImage&)>;

// "busybox", "busybox:1*", "*/app": as the name is shown, or without its tag.
ImageTest has_reference(const std::string& text) {
  std::string pattern = text;
  for (const char* implied : {"docker.io/", "library/"}) {
    if (pattern.starts_with(implied)) pattern.erase(0, std::string_view(implied).size());
  }
  return [pattern](const ListedImage& image) {
    const auto fits = [&](const std::string& name) {
      return ::fnmatch(pattern.c_str(), name.c_str(), FNM_PATHNAME) == 0;
    };
    return image.repository != k_none && (fits(image.repository) || fits(image.repository + ":" + image.tag));
  };
}

ImageTest is_dangling(const std::string& text) {
  const std::vector<std::string> words = {"true", "false", "1", "0"};
  check_filter_value("dangling", text, words);
  return [wanted = text == "true" || text == "1"](const ListedImage& image) {
    return (image.repository == k_none) == wanted;
  };
}

std::function<ImageTest(const std::string&)> image_made(cache::Store& store, bool before) {
  return [&store, before](const std::string& word) -> ImageTest {
    const auto other = listed_image(store, executor::find_stored(store, word)).created;
    return [other, before](const ListedImage& image) { return before ? image.created < other : image.created > other; };
  };
}

std::vector<Filter<ListedImage>> image_filters(cache::Store& store) {
  return {{"reference", has_reference},
          {"dangling", is_dangling},
          {"label",
           [](const std::string& text) -> ImageTest {
             return [text](const ListedImage& image) { return has_label(image.labels, text); };
           },
           true},
          {"before", image_made(store, true)},
          {"since", image_made(store, false)},
          {"until", [](const std::string& text) -> ImageTest {
             const auto limit = containers::parse_log_time("filter until", text, std::chrono::seconds(unix_seconds()));
             return [limit](const ListedImage& image) { return std::chrono::seconds(image.created) < limit; };
           }}};
}

int list_images(const ImagesFlags& flags) {
  auto store = executor::open_store(store_root(flags.root));
  auto filters = flags.filters;
  for (const auto& name : flags.names) filters.push_back("reference=" + name);
  const auto is_meant = parse_filters(filters, image_filters(store));
  std::vector<ordered_json> rows;
  for (const auto& image : listed_images(store)) {
    if (is_meant(image)) rows.push_back(row_of_image(image, flags.whole));
  }
  write_out(listing_text(images_listing(flags.digests), rows, {.format = flags.format, .quiet = flags.quiet}));
  return 0;
}

int remove_images(const ImagesFlags& flags) {
  auto store = executor::open_store(store_root(flags.root));
  return for_each_name(flags.names, [&](const auto& word) {
    for (const auto& name : executor::forget_image(store, word, false)) print("Removed {}\n", name);
  });
}

// Digests of images that containers were made of.
std::set<std::string> used_images(const cache::Store& store) {
  std::set<std::string> used;
  for (const auto& container : containers::Shelf(containers::containers_directory(store)).list()) {
    const auto standing = containers::read_standing(container);
    if (standing) used.insert(standing->name.substr(standing->name.rfind('@') + 1));
  }
  return used;
}

std::function<bool(const ListedImage&)> parse_image_filters(const std::vector<std::string>& filters) {
  return parse_filters(
      filters,
      prune_filters<ListedImage>({.created = [](const ListedImage& one) { return one.created; },
                                  .is_labelled = [](const ListedImage& one,
                                                    const std::string& text) { return has_label(one.labels, text); }}));
}

int prune_images(const ImagesFlags& flags) {
  parse_image_filters(flags.filters);  // before a question
  const char* what = flags.all ? "all images that no container has" : "all images without a name that no container has";
  const char* command = flags.all ? "mbuild image prune -a -f" : "mbuild image prune -f";
  if (!flags.force && !confirm_removal(what, command)) return 0;
  bool any = false;
  remove_unused_images(store_root(flags.root), flags.filters, flags.all, [&](const auto& removed) {
    print("{}\n", removed);
    any = true;
  });
  if (any) say("`mbuild prune` removes what of them nothing else needs.\n");
  return 0;
}

void add_listing_flags(Command& command, ImagesFlags& flags) {
  command.flag("-a,--all", flags.all, "Accepted; there are no others")
      .flag("--digests", flags.digests, "With their digests")
      .values("-f,--filter", flags.filters, "Those alone: reference=app*, dangling=true, label=a=b, ...")
      .value("--format=F", flags.format, "table, json or a template ({{.Repository}}), also as \"table TEMPLATE\"")
      .flag("--no-trunc", flags.whole, "Whole digests")
      .flag("-q,--quiet", flags.quiet, "Digests only");
  add_root_option(command, flags.root);
}

}  // namespace

void remove_unused_images(const std::string& store_root, const std::vector<std::string>& filters, bool all,
                          const Tell& tell) {
  const auto is_meant = parse_image_filters(filters);
  auto store = executor::open_store(store_root);
  const auto used = used_images(store);
  for (const auto& image : listed_images(store)) {
    const bool is_nameless = image.kept.name == image.kept.digest;
    if (used.contains(image.kept.digest) || !(all || is_nameless) || !is_meant(image)) continue;
    store.remove_image(image.kept.name);
    tell(fmt::format("{}: {}", is_nameless ? "Deleted" : "Untagged", shown_name(image)));
  }
}

void add_image_listing(Command& image) {
  auto flags = std::make_shared<ImagesFlags>();
  Command list = image.add("ls", "List the images kept in the store", "list");
  add_listing_flags(list, *flags);
  list.values("name=NAME", flags->names, "Names: those alone");
  list.run([flags] { return list_images(*flags); });
  auto pruned = std::make_shared<ImagesFlags>();
  add_store_command(image, pruned, "prune", "Remove images without a name that no container has", prune_images)
      .flag("-a,--all", pruned->all, "Those that have a name, too")
      .flag("-f,--force", pruned->force, "Do not ask")
      .values("--filter", pruned->filters, "Those alone: until=24h, label=a=b, label!=a");
}

void add_images_command(Command& top) {
  auto flags = std::make_shared<ImagesFlags>();
  auto removed = std::make_shared<ImagesFlags>();
  Command images = top.add("images", "List or remove the images kept in the store (-o type=image)");
  add_listing_flags(images, *flags);
  images.values("name=NAME", flags->names, "Names: those alone");
  images.add("ls", "List the images", "list");
  Command remove = images.add("rm", "Remove images; their blobs go with the next prune");
  images.share_flags();
  remove.values("name=NAME", removed->names, "Names or digests", Presence::required);
  images.run([flags, removed, remove] {
    removed->root = flags->root;
    return remove.chosen() ? remove_images(*removed) : list_images(*flags);
  });
}

}  // namespace mbuild::cli
