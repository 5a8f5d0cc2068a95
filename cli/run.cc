#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/heap.h"
#include "cli/commands.h"
#include "cli/config.h"
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

// The two ways in which the program starts itself.
std::optional<int> run_internal(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == executor::k_inner_argument) {
    executor::jobs::register_all();
    return executor::inner_main(number(argv[2]));
  }
  if (argc == 3 && std::string_view(argv[1]) == executor::k_upkeep_argument) {
    executor::keep_up(argv[2], collect_requests(load_config().gc, argv[2]));
    return 0;
  }
  return std::nullopt;
}

void add_commands(Command& top) {
  add_build_command(top);
  add_doctor_command(top);
  add_du_command(top);
  add_images_command(top);
  add_imagetools_command(top);
  add_merge_command(top);
  add_prune_command(top);
  add_verify_command(top);
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
  prepare_heap();
  try {
    if (const auto status = run_internal(argc, argv)) return *status;
    return run_command_line(argc, argv, "mbuild " MBUILD_VERSION, add_commands);
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
