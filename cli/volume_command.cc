#include "cli/volume_command.h"

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "cli/config/store_root.h"
#include "cli/confirm.h"
#include "cli/container_parts.h"
#include "cli/display/listing.h"
#include "cli/display/terminal.h"
#include "cli/filters.h"
#include "cli/inspect_command.h"
#include "containers/volumes.h"
#include "executor/outputs/stored_images.h"

namespace mbuild::cli {
namespace {

struct VolumeFlags {
  std::string root, format;
  std::vector<std::string> names, filters;
  bool quiet = false, force = false, all = false;
};

std::string directory(const VolumeFlags& flags) {
  return containers::volumes_directory(executor::open_store(store_root(flags.root)));
}

const Listing k_volumes{.fields = {{"CreatedAt", "CREATED AT"},
                                   {"Driver", "DRIVER"},
                                   {"Labels", "LABELS"},
                                   {"Mountpoint", "MOUNTPOINT"},
                                   {"Name", "VOLUME NAME"},
                                   {"Scope", "SCOPE"}},
                        .table = "table {{.Driver}}\t{{.Name}}",
                        .quiet = "Name"};

std::vector<Filter<containers::Volume>> volume_filters(const std::set<std::string>& used) {
  using Test = std::function<bool(const containers::Volume&)>;
  return {{"name",
           [](const std::string& text) -> Test {
             return [text](const auto& one) { return one.name.find(text) != std::string::npos; };
           }},
          {"driver", [](const std::string& text) -> Test { return [text](const auto&) { return text == "local"; }; }},
          {"dangling", [&used](const std::string& text) -> Test {
             const std::vector<std::string> words = {"true", "false", "1", "0"};
             check_filter_value("dangling", text, words);
             return [&used, wanted = text == "true" || text == "1"](const auto& one) {
               return used.contains(one.name) != wanted;
             };
           }}};
}

int list_volumes(const VolumeFlags& flags) {
  const auto store = executor::open_store(store_root(flags.root));
  const auto used = containers::used_volumes(store);
  const auto is_meant = parse_filters(flags.filters, volume_filters(used));
  std::vector<nlohmann::ordered_json> rows;
  for (const auto& volume : containers::list_volumes(containers::volumes_directory(store))) {
    if (!is_meant(volume)) continue;
    rows.push_back({{"CreatedAt", rfc3339(volume.created)},
                    {"Driver", "local"},
                    {"Labels", ""},
                    {"Mountpoint", volume.directory},
                    {"Name", volume.name},
                    {"Scope", "local"}});
  }
  write_out(listing_text(k_volumes, rows, {.format = flags.format, .quiet = flags.quiet}));
  return 0;
}

int create_volume(const VolumeFlags& flags) {
  const auto name = flags.names.empty() ? containers::anonymous_volume_name() : flags.names.front();
  print("{}\n", containers::use_volume(directory(flags), name).name);
  return 0;
}

int inspect_volumes(const VolumeFlags& flags) {
  const auto store = executor::open_store(store_root(flags.root));
  return show_inspected(flags.names, flags.format, [&](const auto& name) { return volume_json(store, name); });
}

int remove_volumes(const VolumeFlags& flags) {
  const auto root = store_root(flags.root);
  const auto volumes = directory(flags);
  return for_each_name(flags.names, [&](const auto& name) {
    if (flags.force && !containers::has_volume(volumes, name)) return;
    containers::remove_volumes(root, {name});
    print("{}\n", name);
  });
}

// Those that have a name of somebody's choice are data that somebody wants to keep, unless he says so.
int prune_volumes(const VolumeFlags& flags) {
  const char* what =
      flags.all ? "all volumes that no container has" : "all volumes without a chosen name that no container has";
  const char* command = flags.all ? "mbuild volume prune -a -f" : "mbuild volume prune -f";
  if (!flags.force && !confirm_removal(what, command)) return 0;
  const auto pruned = containers::prune_volumes(store_root(flags.root), flags.all);
  for (const auto& name : pruned.removed) print("{}\n", name);
  if (!pruned.left.empty()) say("`mbuild volume prune -a` would remove, too: {}\n", join(pruned.left, " "));
  return 0;
}

}  // namespace

nlohmann::ordered_json volume_json(const cache::Store& store, const std::string& name) {
  const auto directory = containers::volumes_directory(store);
  if (!containers::has_volume(directory, name)) {
    throw usage_error("no such volume: " + name).with_advice("mbuild volume ls lists those there are.");
  }
  const auto volume = containers::use_volume(directory, name);
  return {{"CreatedAt", rfc3339(volume.created)},
          {"Driver", "local"},
          {"Labels", nullptr},
          {"Mountpoint", volume.directory},
          {"Name", name},
          {"Options", nullptr},
          {"Scope", "local"}};
}

void add_volume_command(Command& top) {
  const auto flags = std::make_shared<VolumeFlags>();
  Command volume = top.add("volume", "Directories that containers share, by name (-v NAME:DIR)");
  volume.require_subcommand();
  const auto add = [&](const char* name, const char* help, int (*action)(const VolumeFlags&), Presence presence,
                       const char* alias = "") {
    Command command = add_store_command(volume, flags, name, help, action, alias);
    if (presence != Presence::hidden) command.values("name", flags->names, "Names", presence);
    return command;
  };
  add("ls", "List the volumes", list_volumes, Presence::hidden, "list")
      .values("-f,--filter", flags->filters, "Those alone: name=data, dangling=true")
      .value("--format", flags->format, "table, json or a template ({{.Name}})")
      .flag("-q,--quiet", flags->quiet, "Names only");
  add("create", "Make a volume", create_volume, Presence::optional);
  add("inspect", "Show volumes as JSON", inspect_volumes, Presence::required)
      .value("-f,--format", flags->format, "json or a template ({{.Mountpoint}})");
  add("rm", "Remove volumes and what is in them", remove_volumes, Presence::required, "remove")
      .flag("-f,--force", flags->force, "Say nothing of those that are not there");
  add("prune", "Remove volumes that no container has", prune_volumes, Presence::hidden)
      .flag("-a,--all", flags->all, "Those with a chosen name, too")
      .flag("-f,--force", flags->force, "Do not ask");
}

}  // namespace mbuild::cli
