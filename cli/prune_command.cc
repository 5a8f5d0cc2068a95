#include <fmt/format.h>

#include <memory>

#include "base/size_text.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/confirm.h"
#include "cli/display/terminal.h"
#include "cli/display/usage_table.h"
#include "executor/collect.h"

namespace mbuild::cli {
namespace {

struct PruneFlags {
  std::string root, max_used, min_free, reserved, timeout;
  std::vector<std::string> filter;
  bool all = false, force = false, verbose = false;

  bool has_bounds() const { return !max_used.empty() || !min_free.empty() || !reserved.empty(); }
};

executor::CollectRequest request_of(const PruneFlags& flags) {
  executor::CollectRequest request{.matches = parse_item_filters(flags.filter), .bounds = {}};
  if (!flags.has_bounds()) return request;
  const std::uint64_t size = executor::space_around(store_root(flags.root)).size;
  const auto amount = [&](const std::string& text) {
    return text.empty() ? 0 : cache::in_bytes(cache::parse_amount(text), size);
  };
  request.bounds = cache::effective_bounds(
      {.max_used = amount(flags.max_used), .min_free = amount(flags.min_free), .reserved = amount(flags.reserved)});
  return request;
}

bool is_everything(const PruneFlags& flags) { return flags.all && flags.filter.empty() && !flags.has_bounds(); }

std::uint64_t total_of(const std::vector<cache::StoreItem>& items) {
  std::uint64_t total = 0;
  for (const auto& item : items) total += item.bytes;
  return total;
}

// "everything that the store holds: 12 items, 34.5MB".
std::string description(const PruneFlags& flags, const executor::CollectRequest& request) {
  const std::string root = store_root(flags.root);
  const auto items =
      is_everything(flags) ? executor::measure_store(root).items : executor::would_collect(root, request);
  return fmt::format(
      "{}{}: {} item{}, {}",
      is_everything(flags) ? "everything that the store holds" : "what no build is using and no image needs",
      flags.filter.empty() ? "" : ", of what the filter names", items.size(), items.size() == 1 ? "" : "s",
      size_text(total_of(items)));
}

bool confirmed(const PruneFlags& flags, const executor::CollectRequest& request) {
  if (flags.force) return true;
  const auto what = fmt::format("{} (in {})", description(flags, request), store_root(flags.root));
  return confirm_removal(what, "mbuild prune -f");
}

int run_prune(const PruneFlags& flags) {
  const auto request = request_of(flags);
  if (!confirmed(flags, request)) return 0;
  const std::string root = store_root(flags.root);
  std::vector<cache::StoreItem> removed;
  bool emptied = false;
  if (is_everything(flags)) {
    removed = executor::measure_store(root).items;
    emptied = executor::remove_everything(root);
  }
  // While builds run, all goes that they do not use.
  if (!emptied) removed = executor::collect(root, request);
  if (!removed.empty()) print("{}", items_text(removed, flags.verbose ? "pretty" : "table"));
  print("{:<16}{}\n", "Total:", size_text(total_of(removed)));
  return 0;
}

}  // namespace

void add_prune_command(Command& top) {
  auto flags = std::make_shared<PruneFlags>();
  Command prune = top.add("prune", "Remove what the store holds and no running build uses");
  prune.flag("-a,--all", flags->all, "Everything, stored images and the index too");
  prune.values("--filter=F", flags->filter, "Only what matches: until=24h, type=exec.cachemount, id~=REGEX, ...");
  prune.flag("-f,--force", flags->force, "Do not ask");
  prune.value("--max-used-space=SIZE", flags->max_used, "Remove until the store holds no more than this (20GB, 10%)");
  prune.value("--min-free-space=SIZE", flags->min_free, "Remove until this much of the disk is free");
  prune.value("--reserved-space,--keep-storage=SIZE", flags->reserved, "Leave this much in the store in any case");
  prune.value("--timeout", flags->timeout, "Accepted: there is no builder to wait for", Presence::hidden);
  prune.flag("--verbose", flags->verbose, "Say all that is known of what was removed");
  add_root_option(prune, flags->root);
  prune.run([flags] { return run_prune(*flags); });
}

}  // namespace mbuild::cli
