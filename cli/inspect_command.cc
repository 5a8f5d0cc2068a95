#include "cli/inspect_command.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "cli/config/store_root.h"
#include "cli/container_json.h"
#include "cli/container_parts.h"
#include "cli/display/go_template.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "containers/networks.h"
#include "containers/volumes.h"
#include "executor/outputs/kept_images.h"
#include "executor/outputs/stored_images.h"

namespace mbuild::cli {
namespace {

using nlohmann::ordered_json;

struct ObjectFlags {
  std::string root, format, type;
  std::vector<std::string> names;
  bool size = false;
};

// A kind of thing, and what is of that kind by a name: nothing where there is none.
struct Kind {
  const char* name;
  std::optional<ordered_json> (*find)(cache::Store& store, const std::string& word, bool size);
};

const std::vector<Kind> k_kinds = {
    {"container",
     [](cache::Store& store, const std::string& word, bool size) -> std::optional<ordered_json> {
       const auto found = containers::Shelf(containers::containers_directory(store)).find_any(word);
       return found ? std::optional(container_json(*found, size)) : std::nullopt;
     }},
    {"image",
     [](cache::Store& store, const std::string& word, bool) -> std::optional<ordered_json> {
       return executor::is_stored(store, word) ? std::optional(image_json(store, word, "")) : std::nullopt;
     }},
    {"network",
     [](cache::Store& store, const std::string& word, bool) -> std::optional<ordered_json> {
       const auto networks = containers::networks_directory(containers::containers_directory(store));
       return containers::read_network(networks, word) ? std::optional(network_json(store, word)) : std::nullopt;
     }},
    {"volume",
     [](cache::Store& store, const std::string& word, bool) -> std::optional<ordered_json> {
       return containers::has_volume(containers::volumes_directory(store), word)
                  ? std::optional(volume_json(store, word))
                  : std::nullopt;
     }},
};

ordered_json found_of(const std::string& word, cache::Store& store, const ObjectFlags& flags) {
  for (const auto& kind : k_kinds) {
    if (!flags.type.empty() && flags.type != kind.name) continue;
    if (auto found = kind.find(store, word, flags.size)) return std::move(*found);
  }
  throw usage_error(fmt::format("no such {}: {}", flags.type.empty() ? "object" : flags.type, word))
      .with_advice("mbuild ps -a, images, volume ls and network ls list those there are.");
}

int inspect_all(const ObjectFlags& flags) {
  std::vector<std::string> types;
  for (const auto& kind : k_kinds) types.emplace_back(kind.name);
  if (!flags.type.empty() && std::ranges::find(types, flags.type) == types.end()) {
    throw usage_error(fmt::format("invalid --type \"{}\"{}", flags.type, did_you_mean(flags.type, types)))
        .with_advice("It is " + join(types, ", ") + ".");
  }
  auto store = executor::open_store(store_root(flags.root));
  return show_inspected(flags.names, flags.format, [&](const auto& word) { return found_of(word, store, flags); });
}

int inspect_containers(const ObjectFlags& flags) {
  auto store = executor::open_store(store_root(flags.root));
  const containers::Shelf shelf(containers::containers_directory(store));
  return show_inspected(flags.names, flags.format,
                        [&](const auto& word) { return container_json(shelf.find(word), flags.size); });
}

void add_inspect_flags(Command& command, ObjectFlags& flags) {
  command.value("-f,--format", flags.format, "json or a template ({{.State.Status}})")
      .flag("-s,--size", flags.size, "With what a container has written")
      .values("name", flags.names, "Names or ids", Presence::required);
}

}  // namespace

int show_inspected(const std::vector<std::string>& names, const std::string& format,
                   const std::function<ordered_json(const std::string& name)>& find) {
  auto list = ordered_json::array();
  const int status = for_each_name(names, [&](const auto& name) { list.push_back(find(name)); });
  if (format.empty()) {
    print("{}\n", json_text(list));
    return status;
  }
  for (const auto& one : list) {
    print("{}\n", format == "json" ? json_text(one, -1) : fill_template(format, one.dump()));
  }
  return status;
}

void add_inspect_command(Command& top) {
  const auto flags = std::make_shared<ObjectFlags>();
  Command command =
      add_store_command(top, flags, "inspect", "Show containers, images, networks or volumes as JSON", inspect_all);
  add_inspect_flags(command, *flags);
  command.value("--type", flags->type, "container, image, network or volume (default: the first that there is)");
}

void add_container_inspect(Command& container) {
  const auto flags = std::make_shared<ObjectFlags>();
  Command command = add_store_command(container, flags, "inspect", "Show containers as JSON", inspect_containers);
  add_inspect_flags(command, *flags);
}

}  // namespace mbuild::cli
