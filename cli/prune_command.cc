#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <memory>

#include "base/error.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/store_root.h"
#include "cli/usage_table.h"
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

// Asks where somebody can answer; a script has said what it wants.
bool confirmed(const PruneFlags& flags) {
  if (flags.force || ::isatty(STDIN_FILENO) != 1) return true;
  fmt::print(stderr, "WARNING: this removes {} from the store. Continue? [y/N] ",
             flags.all && flags.filter.empty() && !flags.has_bounds() ? "everything" : "what no build is using");
  std::string answer;
  std::getline(std::cin, answer);
  return iequals(trim(answer), "y") || iequals(trim(answer), "yes");
}

int run_prune(const PruneFlags& flags) {
  const auto request = request_of(flags);
  if (!confirmed(flags)) return 0;
  const std::string root = store_root(flags.root);
  std::vector<cache::StoreItem> removed;
  bool emptied = false;
  if (flags.all && !request.matches && !request.bounds) {
    removed = executor::measure_store(root).items;
    emptied = executor::remove_everything(root);
  }
  // While builds run, all goes that they do not use.
  if (!emptied) removed = executor::collect(root, request);
  std::uint64_t total = 0;
  for (const auto& item : removed) total += item.bytes;
  if (!removed.empty()) fmt::print("{}", items_text(removed, flags.verbose ? "pretty" : "table"));
  fmt::print("{:<16}{}\n", "Total:", size_text(total));
  return 0;
}

}  // namespace

void add_prune_command(Command& top) {
  auto flags = std::make_shared<PruneFlags>();
  Command prune = top.add("prune", "Remove what the store holds and no running build uses");
  prune.flag("-a,--all", flags->all, "Everything, stored images and the index too");
  prune.values("--filter", flags->filter, "Only what matches: until=24h, type=exec.cachemount, id~=REGEX, ...");
  prune.flag("-f,--force", flags->force, "Do not ask");
  prune.value("--max-used-space", flags->max_used, "Remove until the store holds no more than this (20GB, 10%)");
  prune.value("--min-free-space", flags->min_free, "Remove until this much of the disk is free");
  prune.value("--reserved-space,--keep-storage", flags->reserved, "Leave this much in the store in any case");
  prune.value("--timeout", flags->timeout, "Accepted: there is no builder to wait for", Presence::hidden);
  prune.flag("--verbose", flags->verbose, "Say all that is known of what was removed");
  add_root_option(prune, flags->root);
  prune.run([flags] { return run_prune(*flags); });
}

}  // namespace mbuild::cli
