#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/size_text.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/container_parts.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "executor/outputs/kept_images.h"
#include "executor/outputs/stored_images.h"
#include "oci/reference.h"

namespace mbuild::cli {
namespace {

struct ImagesFlags {
  std::string root, format = "table";
  bool quiet = false;
  std::vector<std::string> names;
};

std::string shown_name(const cache::StoredImage& image) {
  return image.name == image.digest ? "<none>" : frontend::familiar_string(frontend::parse_reference(image.name));
}

void print_table(const std::vector<cache::StoredImage>& images) {
  std::size_t width = 4, platforms = 9;
  for (const auto& image : images) {
    width = std::max(width, shown_name(image).size());
    platforms = std::max(platforms, image.platforms.size());
  }
  print("{:<{}}  {:<19}  {:<{}}  {:>9}  {}\n", "NAME", width, "DIGEST", "PLATFORMS", platforms, "SIZE", "STORED");
  for (const auto& image : images) {
    print("{:<{}}  {:<19}  {:<{}}  {:>9}  {}\n", shown_name(image), width, image.digest.substr(0, 19), image.platforms,
          platforms, size_text(image.bytes), rfc3339(image.created));
  }
}

std::string json_of(const std::vector<cache::StoredImage>& images) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& image : images) {
    list.push_back({{"name", image.name},
                    {"digest", image.digest},
                    {"mediaType", image.media_type},
                    {"platforms", split(image.platforms, ',')},
                    {"size", image.bytes},
                    {"stored", rfc3339(image.created)}});
  }
  return json_text(list);
}

int list_images(const ImagesFlags& flags) {
  const auto images = executor::open_store(store_root(flags.root)).images();
  if (flags.quiet) {
    for (const auto& image : images) print("{}\n", image.digest);
  } else if (flags.format == "json") {
    print("{}\n", json_of(images));
  } else if (flags.format == "table") {
    print_table(images);
  } else {
    throw Error(ExitClass::usage, fmt::format("unknown format \"{}\"", flags.format))
        .with_advice("Formats are table and json.");
  }
  return 0;
}

int remove_images(const ImagesFlags& flags) {
  auto store = executor::open_store(store_root(flags.root));
  return for_each_name(flags.names, [&](const auto& word) {
    for (const auto& name : executor::forget_image(store, word, false)) print("Removed {}\n", name);
  });
}

}  // namespace

void add_image_listing(Command& image) {
  auto flags = std::make_shared<ImagesFlags>();
  Command list = image.add("ls", "List the images kept in the store", "list");
  list.value("--format", flags->format, "table or json");
  list.flag("-q,--quiet", flags->quiet, "Digests only");
  add_root_option(list, flags->root);
  list.run([flags] { return list_images(*flags); });
}

void add_images_command(Command& top) {
  auto flags = std::make_shared<ImagesFlags>();
  Command images = top.add("images", "List or remove the images kept in the store (-o type=image)");
  images.value("--format=F", flags->format, "table or json");
  images.flag("-q,--quiet", flags->quiet, "Digests only");
  add_root_option(images, flags->root);
  images.add("ls", "List the images", "list");
  Command remove = images.add("rm", "Remove images; their blobs go with the next prune");
  images.share_flags();
  remove.values("name=NAME", flags->names, "Names or digests", Presence::required);
  images.run([flags, remove] { return remove.chosen() ? remove_images(*flags) : list_images(*flags); });
}

}  // namespace mbuild::cli
