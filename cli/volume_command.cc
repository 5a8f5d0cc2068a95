#include "cli/volume_command.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "cli/config/store_root.h"
#include "cli/confirm.h"
#include "cli/container_parts.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "containers/volumes.h"
#include "executor/outputs/stored_images.h"

namespace mbuild::cli {
namespace {

struct VolumeFlags {
  std::string root;
  std::vector<std::string> names;
  bool quiet = false, force = false, all = false;
};

std::string directory(const VolumeFlags& flags) {
  return containers::volumes_directory(executor::open_store(store_root(flags.root)));
}

int list_volumes(const VolumeFlags& flags) {
  if (!flags.quiet) print("{:<20}  {}\n", "CREATED", "VOLUME NAME");
  for (const auto& volume : containers::list_volumes(directory(flags))) {
    flags.quiet ? print("{}\n", volume.name) : print("{:<20}  {}\n", rfc3339(volume.created), volume.name);
  }
  return 0;
}

int create_volume(const VolumeFlags& flags) {
  const auto name = flags.names.empty() ? containers::anonymous_volume_name() : flags.names.front();
  print("{}\n", containers::use_volume(directory(flags), name).name);
  return 0;
}

int inspect_volumes(const VolumeFlags& flags) {
  auto list = nlohmann::ordered_json::array();
  const auto all = containers::list_volumes(directory(flags));
  const int status = for_each_name(flags.names, [&](const auto& name) {
    const auto found = std::ranges::find(all, name, &containers::Volume::name);
    if (found == all.end())
      throw usage_error("no such volume: " + name).with_advice("mbuild volume ls lists those there are.");
    list.push_back({{"Name", name}, {"Mountpoint", found->directory}, {"CreatedAt", rfc3339(found->created)}});
  });
  print("{}\n", json_text(list));
  return status;
}

int remove_volumes(const VolumeFlags& flags) {
  containers::remove_volumes(store_root(flags.root), flags.names);
  for (const auto& name : flags.names) print("{}\n", name);
  return 0;
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
  add("ls", "List the volumes", list_volumes, Presence::hidden, "list").flag("-q,--quiet", flags->quiet, "Names only");
  add("create", "Make a volume", create_volume, Presence::optional);
  add("inspect", "Show volumes as JSON", inspect_volumes, Presence::required);
  add("rm", "Remove volumes and what is in them", remove_volumes, Presence::required, "remove");
  add("prune", "Remove volumes that no container has", prune_volumes, Presence::hidden)
      .flag("-a,--all", flags->all, "Those with a chosen name, too")
      .flag("-f,--force", flags->force, "Do not ask");
}

}  // namespace mbuild::cli
