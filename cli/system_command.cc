#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "base/size_text.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/confirm.h"
#include "cli/display/terminal.h"
#include "cli/display/usage_table.h"
#include "cli/filters.h"
#include "cli/prune_filters.h"
#include "cli/removals.h"
#include "executor/collect.h"

namespace mbuild::cli {
namespace {

struct SystemFlags {
  std::string root;
  std::vector<std::string> filters;
  bool all = false, force = false, volumes = false;
};

bool is_of_label(const std::string& filter) { return to_lower(trim(filter)).starts_with("label"); }

std::string description(const SystemFlags& flags) {
  std::vector<std::string> what = {"all containers that have ended", "all networks that no container has"};
  if (flags.volumes) what.emplace_back("all volumes without a chosen name that no container has");
  what.emplace_back(flags.all ? "all images that no container has" : "all images without a name that no container has");
  if (std::ranges::none_of(flags.filters, is_of_label)) {
    what.emplace_back("what no build is using and no image needs");
  }
  return (flags.filters.empty() ? "" : "of what the filter names, ") + join(what, ", ");
}

// Prints what is removed below a heading, which is there only if something is.
template <class Remove>
void remove_kind(const char* heading, const Remove& remove) {
  bool any = false;
  remove([&](const std::string& removed) {
    if (!std::exchange(any, true)) print("{}:\n", heading);
    print("{}\n", removed);
  });
  if (any) print("\n");
}

std::uint64_t bytes_in(const std::string& root) {
  const auto usage = executor::measure_store(root);
  std::uint64_t bytes = usage.other_bytes;
  for (const auto& item : usage.items) bytes += item.bytes;
  return bytes;
}

// Layers and blobs have no labels: a filter by one spares them.
void remove_builds(const std::string& root, const SystemFlags& flags,
                   const std::function<bool(const cache::StoreItem&)>& is_meant) {
  if (std::ranges::any_of(flags.filters, is_of_label)) return;
  const auto removed = executor::collect(root, {.matches = is_meant, .bounds = {}});
  if (!removed.empty()) print("Layers, blobs and caches:\n{}\n", items_text(removed, "table"));
}

int prune_system(const SystemFlags& flags) {
  const auto is_meant = parse_filters(
      flags.filters, prune_filters<cache::StoreItem>(
                         {.created = [](const cache::StoreItem& one) { return one.used; },
                          .is_labelled = [](const cache::StoreItem&, const std::string&) { return false; }}));
  const std::string root = store_root(flags.root);
  const std::string command =
      fmt::format("mbuild system prune{}{} -f", flags.all ? " -a" : "", flags.volumes ? " --volumes" : "");
  if (!flags.force && !confirm_removal(description(flags), command)) return 0;
  const std::uint64_t before = bytes_in(root);
  remove_kind("Containers", [&](const Tell& tell) { remove_ended_containers(root, flags.filters, tell); });
  remove_kind("Networks", [&](const Tell& tell) { remove_unused_networks(root, flags.filters, tell); });
  if (flags.volumes) {
    remove_kind("Volumes", [&](const Tell& tell) { remove_unused_volumes(root, flags.filters, false, tell); });
  }
  remove_kind("Images", [&](const Tell& tell) { remove_unused_images(root, flags.filters, flags.all, tell); });
  remove_builds(root, flags, is_meant);
  const std::uint64_t after = bytes_in(root);
  print("Total reclaimed space: {}\n", size_text(before - std::min(before, after)));
  return 0;
}

}  // namespace

void add_system_command(Command& top) {
  Command system = top.add("system", "Tidy up all that the store holds");
  auto flags = std::make_shared<SystemFlags>();
  add_du_command(system, "df");
  Command prune = system.add("prune", "Remove containers that ended, networks and images that none has, unused layers");
  prune.flag("-a,--all", flags->all, "Images that have a name, too");
  prune.flag("--volumes", flags->volumes, "Volumes that nobody chose a name for, too");
  prune.values("--filter", flags->filters, "Those alone: until=24h, label=a=b, label!=a");
  prune.flag("-f,--force", flags->force, "Do not ask");
  add_root_option(prune, flags->root);
  prune.run([flags] { return prune_system(*flags); });
  system.require_subcommand();
}

}  // namespace mbuild::cli
