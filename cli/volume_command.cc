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
#include "cli/prune_filters.h"
#include "cli/removals.h"
#include "containers/option_values.h"
#include "containers/volumes.h"
#include "executor/outputs/stored_images.h"

namespace mbuild::cli {
namespace {

struct VolumeFlags {
  std::string root, format;
  std::vector<std::string> names, filters, labels, options;
  std::string driver = "local";
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

nlohmann::ordered_json labels_of(const containers::Volume& volume) {
  nlohmann::ordered_json out;  // null: none
  for (const auto& [name, value] : volume.labels) out[name] = value;
  return out;
}

std::vector<Filter<containers::Volume>> label_filters() {
  return prune_filters<containers::Volume>(
      {.created = [](const containers::Volume& one) { return one.created; },
       .is_labelled = [](const containers::Volume& one,
                         const std::string& text) { return has_label(one.labels, text); }});
}

std::vector<Filter<containers::Volume>> volume_filters(const std::set<std::string>& used) {
  using Test = std::function<bool(const containers::Volume&)>;
  return {
      {"name",
       [](const std::string& text) -> Test {
         return [text](const auto& one) { return one.name.find(text) != std::string::npos; };
       }},
      {"label",
       [](const std::string& text) -> Test { return [text](const auto& one) { return has_label(one.labels, text); }; },
       true},
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
                    {"Labels", label_text(volume.labels)},
                    {"Mountpoint", volume.directory},
                    {"Name", volume.name},
                    {"Scope", "local"}});
  }
  write_out(listing_text(k_volumes, rows, {.format = flags.format, .quiet = flags.quiet}));
  return 0;
}

int create_volume(const VolumeFlags& flags) {
  if (flags.driver != "local" || !flags.options.empty()) {
    throw usage_error(flags.driver != "local" ? "there is no volume driver " + flags.driver
                                              : "volumes take no options: " + flags.options.front())
        .with_advice("A volume is a directory of the store; -v DIR:DIR shows one of the host.");
  }
  containers::Volume wanted{.name = flags.names.empty() ? containers::anonymous_volume_name() : flags.names.front(),
                            .directory = {}};
  for (const auto& label : flags.labels) containers::add_label(label, wanted.labels);
  print("{}\n", containers::create_volume(directory(flags), wanted).name);
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
  parse_filters(flags.filters, label_filters());  // before a question
  const char* what =
      flags.all ? "all volumes that no container has" : "all volumes without a chosen name that no container has";
  const char* command = flags.all ? "mbuild volume prune -a -f" : "mbuild volume prune -f";
  if (!flags.force && !confirm_removal(what, command)) return 0;
  const auto left = remove_unused_volumes(store_root(flags.root), flags.filters, flags.all,
                                          [](const auto& name) { print("{}\n", name); });
  if (!left.empty()) say("`mbuild volume prune -a` would remove, too: {}\n", join(left, " "));
  return 0;
}

}  // namespace

std::vector<std::string> remove_unused_volumes(const std::string& store_root, const std::vector<std::string>& filters,
                                               bool all, const Tell& tell) {
  const auto pruned = containers::prune_volumes(store_root, all, parse_filters(filters, label_filters()));
  for (const auto& name : pruned.removed) tell(name);
  return pruned.left;
}

nlohmann::ordered_json volume_json(const cache::Store& store, const std::string& name) {
  const auto directory = containers::volumes_directory(store);
  if (!containers::has_volume(directory, name)) {
    throw usage_error("no such volume: " + name).with_advice("mbuild volume ls lists those there are.");
  }
  const auto volume = containers::use_volume(directory, name);
  return {{"CreatedAt", rfc3339(volume.created)},
          {"Driver", "local"},
          {"Labels", labels_of(volume)},
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
      .values("-f,--filter", flags->filters, "Those alone: name=data, label=a=b, dangling=true")
      .value("--format", flags->format, "table, json or a template ({{.Name}})")
      .flag("-q,--quiet", flags->quiet, "Names only");
  add("create", "Make a volume", create_volume, Presence::optional)
      .values("--label", flags->labels, "NAME=VALUE")
      .value("-d,--driver", flags->driver, "local: there is no other one", Presence::hidden)
      .values("-o,--opt", flags->options, "There are none", Presence::hidden);
  add("inspect", "Show volumes as JSON", inspect_volumes, Presence::required)
      .value("-f,--format", flags->format, "json or a template ({{.Mountpoint}})");
  add("rm", "Remove volumes and what is in them", remove_volumes, Presence::required, "remove")
      .flag("-f,--force", flags->force, "Say nothing of those that are not there");
  add("prune", "Remove volumes that no container has", prune_volumes, Presence::hidden)
      .flag("-a,--all", flags->all, "Those with a chosen name, too")
      .values("--filter", flags->filters, "Those alone: label=a=b, label!=a, until=24h")
      .flag("-f,--force", flags->force, "Do not ask");
}

}  // namespace mbuild::cli
