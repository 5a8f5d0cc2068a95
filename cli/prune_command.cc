#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/store_root.h"
#include "executor/prune.h"

namespace mbuild::cli {
namespace {

struct Flags {
  std::string root;
  bool all = false, force = false;
};

int run_prune(const Flags& flags) {
  if (!flags.all) {
    throw Error(ExitClass::usage, "prune needs --all").with_advice("--all removes everything that the store holds.");
  }
  executor::prune_all(store_root(flags.root));
  return 0;
}

}  // namespace

void add_prune_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<Flags>();
  CLI::App* prune = app.add_subcommand("prune", "Remove what the store holds");
  prune->add_flag("-a,--all", flags->all, "Everything: layers, blobs, cache mounts, the index");
  prune->add_flag("-f,--force", flags->force, "Accepted: nothing is asked")->group("");
  add_root_option(*prune, flags->root);
  prune->callback([flags, &status] { status = run_prune(*flags); });
}

}  // namespace mbuild::cli
