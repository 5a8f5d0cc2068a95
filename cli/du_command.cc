#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/size_text.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/display/terminal.h"
#include "cli/display/usage_table.h"
#include "executor/collect.h"

namespace mbuild::cli {
namespace {

struct DuFlags {
  std::string root, format;
  std::vector<std::string> filter;
  bool verbose = false;
};

void print_totals(const std::vector<cache::StoreItem>& items, std::uint64_t other_bytes, bool all) {
  std::uint64_t total = 0, reclaimable = 0, shared = 0;
  for (const auto& item : items) {
    total += item.bytes;
    if (item.reclaimable()) reclaimable += item.bytes;
    if (item.shared) shared += item.bytes;
  }
  if (shared > 0) print("{:<16}{}\n{:<16}{}\n", "Shared:", size_text(shared), "Private:", size_text(total - shared));
  print("{:<16}{}\n", "Reclaimable:", size_text(reclaimable));
  if (all) print("{:<16}{}\n", "Index, locks:", size_text(other_bytes));
  print("{:<16}{}\n", "Total:", size_text(total + (all ? other_bytes : 0)));
}

int run_du(const DuFlags& flags) {
  if (flags.verbose && !flags.format.empty()) {
    throw Error(ExitClass::usage, "--format and --verbose cannot be used together");
  }
  const auto matches = parse_item_filters(flags.filter);
  auto usage = executor::measure_store(store_root(flags.root));
  if (matches) std::erase_if(usage.items, [&](const auto& item) { return !matches(item); });
  const std::string format = flags.verbose ? "pretty" : flags.format.empty() ? "table" : flags.format;
  print("{}", items_text(usage.items, format));
  if (format == "table" || format == "pretty") print_totals(usage.items, usage.other_bytes, !matches);
  return 0;
}

}  // namespace

void add_du_command(Command& top, const char* name) {
  auto flags = std::make_shared<DuFlags>();
  Command du = top.add(name, "Show what the store holds, and how large it is on disk");
  du.values("--filter=F", flags->filter, "Only what matches: type=regular, id~=REGEX, until=24h, inuse, ...");
  du.value("--format=F", flags->format, "table, pretty, json, or a text with {{.ID}}, {{.Size}}, ...");
  du.flag("--verbose", flags->verbose, "All that is known of each thing");
  add_root_option(du, flags->root);
  du.run([flags] { return run_du(*flags); });
}

}  // namespace mbuild::cli
