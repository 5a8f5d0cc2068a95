#include <fmt/format.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/main.h"
#include "cli/report.h"
#include "executor/collect.h"
#include "executor/inner_main.h"
#include "executor/jobs.h"

#ifndef MBUILD_VERSION
#define MBUILD_VERSION "0.1.0"
#endif

namespace mbuild::cli {
namespace {

int number(const char* text) {
  int value = -1;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

std::uint64_t bytes(const char* text) {
  std::uint64_t value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

// The two ways in which the program starts itself.
std::optional<int> run_internal(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == executor::k_inner_argument) {
    executor::jobs::register_all();
    return executor::inner_main(number(argv[2]));
  }
  if (argc >= 3 && std::string_view(argv[1]) == executor::k_upkeep_argument) {
    std::optional<cache::SpacePolicy> bounds;
    if (argc == 6) bounds = {.max_used = bytes(argv[3]), .min_free = bytes(argv[4]), .reserved = bytes(argv[5])};
    executor::keep_up(argv[2], bounds);
    return 0;
  }
  return std::nullopt;
}

// An unknown first word, or the flags that nothing knows, with what was probably meant; CLI11 says only that it did not
// expect them.
std::string usage_message(const CLI::App& app, int argc, char** argv, const CLI::ParseError& error) {
  std::vector<std::string> known;
  for (const auto* command : app.get_subcommands({})) known.push_back(command->get_name());
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands().empty()) {
    return fmt::format("unknown command \"{}\"{}", argv[1], did_you_mean(argv[1], known));
  }
  known.clear();
  for (const auto* command : app.get_subcommands()) {
    for (const auto* option : command->get_options()) {
      for (const auto& name : option->get_lnames()) known.push_back("--" + name);
    }
    for (const auto& word : command->remaining()) {
      const std::string flag = word.substr(0, word.find('='));
      if (flag.starts_with("-")) return fmt::format("unknown flag: {}{}", flag, did_you_mean(flag, known));
    }
  }
  return error.what();
}

int run_commands(int argc, char** argv) {
  CLI::App app("mbuild builds images for several platforms from a Dockerfile.", "mbuild");
  app.set_version_flag("--version", "mbuild " MBUILD_VERSION);
  app.require_subcommand(1);
  int status = 0;
  add_build_command(app, status);
  add_doctor_command(app, status);
  add_du_command(app, status);
  add_images_command(app, status);
  add_imagetools_command(app, status);
  add_merge_command(app, status);
  add_prune_command(app, status);
  add_verify_command(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& answer) {
    return app.exit(answer);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "ERROR: {}\n       mbuild --help lists the commands and flags.\n",
               usage_message(app, argc, argv, error));
    return static_cast<int>(ExitClass::usage);
  }
  return status;
}

// The status for an end of this kind. Where the last word can't be printed (a full disk behind a log, say), the status
// has to say it all.
template <typename Tell>
int ended(ExitClass exit_class, Tell&& tell) {
  try {
    tell();
  } catch (const std::exception&) {
  }
  return static_cast<int>(exit_class);
}

}  // namespace

int run(int argc, char** argv) {
  // Memory is taken and given back in larger steps: by default each 128 KB of a thread costs a system call.
  ::mallopt(M_TOP_PAD, 1 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 8 << 20);
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  try {
    if (const auto status = run_internal(argc, argv)) return *status;
    return run_commands(argc, argv);
  } catch (const Error& error) {
    return ended(error.exit_class, [&] { print_error(error); });
  } catch (const Cancelled&) {
    ended(ExitClass::internal, [] { fmt::print(stderr, "ERROR: canceled\n"); });
    return 130;
  } catch (const std::system_error& error) {  // what fmt throws when nothing can be printed
    return ended(ExitClass::store, [&] { fmt::print(stderr, "ERROR: {}\n", error.what()); });
  } catch (const std::exception& error) {
    return ended(ExitClass::internal, [&] { fmt::print(stderr, "ERROR: internal: {}\n", error.what()); });
  }
}

}  // namespace mbuild::cli
