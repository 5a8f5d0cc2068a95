#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/heap.h"
#include "base/inherited_state.h"
#include "cli/commands.h"
#include "cli/config/config.h"
#include "cli/config/docker_words.h"
#include "cli/config/version.h"
#include "cli/display/report.h"
#include "cli/display/terminal.h"
#include "cli/docker_flags.h"
#include "cli/main.h"
#include "cli/session.h"
#include "containers/network_holder.h"
#include "containers/run.h"
#include "executor/collect.h"
#include "worker/inner/supervisor.h"
#include "worker/process_worker.h"

namespace mbuild::cli {
namespace {

int number(const char* text) {
  int value = -1;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

// The ways in which the program starts itself.
std::optional<int> run_internal(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == executor::k_inner_argument) {
    return executor::inner_main(number(argv[2]));
  }
  if (argc == 3 && std::string_view(argv[1]) == executor::k_worker_argument) {
    return executor::worker_main(0, argv[2]);
  }
  if (argc == 3 && std::string_view(argv[1]) == executor::k_upkeep_argument) {
    executor::keep_up(argv[2], collect_requests(load_config().gc, argv[2]));
    return 0;
  }
  if (argc == 4 && std::string_view(argv[1]) == containers::k_supervisor_argument) {
    return containers::supervise(session_request(argv[2], false), argv[3], 0);
  }
  if (argc == 4 && std::string_view(argv[1]) == containers::k_holder_argument) {
    return containers::hold_network(argv[2], argv[3], 0);
  }
  return std::nullopt;
}

void tell_of_program(Command& top) {
  top.examples({{"mbuild build --platform linux/amd64,linux/arm64 -t HOST/NAME --push .",
                 "Build for two platforms and push the image."},
                {"mbuild build -t NAME --load .", "Build for this machine and hand the image to Docker or Podman."},
                {"mbuild doctor", "See what this host offers, and what to do about the rest."}});
}

void set_minor_commands(Command& top) {
  top.minor({"accel", "attach", "commit", "completion", "config",     "container", "cp",      "create",  "debug",
             "diff",  "exec",   "export", "image",      "imagetools", "import",    "inspect", "kill",    "load",
             "login", "logout", "merge",  "network",    "platforms",  "port",      "rename",  "restart", "rmi",
             "save",  "start",  "stats",  "system",     "tag",        "top",       "volume",  "wait"});
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

const Program& program() {
  static const Program k_program{
      .name = "mbuild",
      .version = std::string("mbuild ") + k_version,
      .about =
          "mbuild builds images for several platforms from a Dockerfile.\n"
          "`mbuild [OPTIONS] CONTEXT` is `mbuild build [OPTIONS] CONTEXT`.",
      // In the order in which a person needs them: the help has it.
      .add = {tell_of_program,
              add_build_command,
              add_run_command,
              add_create_command,
              add_bake_command,
              add_images_command,
              add_image_commands,
              add_container_commands,
              add_verify_command,
              add_history_command,
              add_debug_command,
              add_doctor_command,
              [](Command& top) { add_du_command(top); },
              add_prune_command,
              add_system_command,
              add_config_command,
              add_imagetools_command,
              add_login_commands,
              add_merge_command,
              add_platforms_command,
              add_accel_command,
              add_builder_commands,
              add_help_commands,
              set_minor_commands},
      .implied_command = "build",
      .never_suggested = {"prune"},
      .add_to_each = add_global_docker_flags,
      .of_all = {"completion", "man"},
      .statuses = {{"bake", 1}, {"create", 1}, {"f", 1}, {"run", 125}},
  };
  return k_program;
}

int run_words(int argc, char** argv) {
  try {
    if (const auto status = run_internal(argc, argv)) return *status;
    return run_command_line(program(), without_command_of_debug(without_docker_words(
                                           argc > 0 ? argv[0] : "", {argv + std::min(argc, 1), argv + argc})));
  } catch (const Error& error) {
    return ended(error.exit_class, [&] { print_error(error); });
  } catch (const Cancelled&) {
    ended(ExitClass::internal, [] { say("ERROR: canceled\n"); });
    return 130;
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {  // what a thread that can't be started throws
      return ended(ExitClass::host, [] {
        say("ERROR: no thread can be started\n       The limit on processes (`ulimit -u`, or that of the control "
            "group) is too low.\n");
      });
    }
    // what fmt throws when nothing can be printed
    return ended(ExitClass::store, [&] { say("ERROR: {}\n", error.what()); });
  } catch (const std::bad_alloc&) {
    return ended(ExitClass::host, [] {
      say("ERROR: out of memory\n       `ulimit -v` and the limits of the control group bound it.\n");
    });
  } catch (const std::exception& error) {
    return ended(ExitClass::internal, [&] { say("ERROR: internal: {}\n", error.what()); });
  }
}

}  // namespace

int run(int argc, char** argv) {
  put_inherited_state_right();
  return run_with_enough_stack([&] {
    prepare_heap();
    return run_words(argc, argv);
  });
}

}  // namespace mbuild::cli
