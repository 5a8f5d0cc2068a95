// buildx's commands for builders. A script that makes, chooses and removes one goes on: each is answered with what it
// would get, and a line says why nothing had to be done. The one builder there is is this program.

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/config/docker_words.h"
#include "cli/config/version.h"
#include "cli/display/go_template.h"
#include "cli/display/terminal.h"
#include "emu/emulator.h"
#include "platforms/platform.h"

namespace mbuild::cli {
namespace {

using nlohmann::ordered_json;

constexpr const char* k_builder = "mbuild";

// Those whose programs can be run here, that of the host first.
std::vector<std::string> runnable_platforms() {
  const auto& host = platforms::host_platform();
  const auto search = emu::default_search();
  std::vector<std::string> names = {platforms::to_string(host)};
  for (const auto& descriptor : platforms::all_descriptors()) {
    try {
      emu::choose(descriptor.platform, host, search);
      if (descriptor.name != names.front()) names.push_back(descriptor.name);
    } catch (const Error&) {  // no emulator
    }
  }
  return names;
}

// ---- create

struct BuilderFlags {
  std::string endpoint, name, driver, ignored;
  bool append = false, leave = false, bootstrap = false, use = false;
};

void refuse_other_machines(const BuilderFlags& flags) {
  const auto& driver = flags.driver;
  if (driver.empty() || driver == "docker" || driver == "docker-container" || driver == k_builder) return;
  throw usage_error(fmt::format("--driver {}: mbuild builds on this machine, by itself", driver))
      .with_advice("Leave --driver out; platforms other than this machine's are emulated.");
}

int make_builder(const BuilderFlags& flags) {
  refuse_other_machines(flags);
  if (!flags.endpoint.empty() && flags.endpoint != "default") {
    say("WARNING: {} is not used: mbuild builds on this machine, by itself.\n", flags.endpoint);
  } else {
    say("NOTE: nothing had to be created: mbuild is its own builder.\n");
  }
  print("{}\n", flags.name.empty() ? k_builder : flags.name);
  return 0;
}

void add_create_builder(Command& group) {
  auto flags = std::make_shared<BuilderFlags>();
  Command create = group.add("create", "Does nothing: there is no builder to be made");
  create.value("endpoint", flags->endpoint, "Not used");
  create.value("--name", flags->name, "The name that is printed");
  create.value("--driver", flags->driver, "docker-container, or none; others are refused");
  create.flag("--append", flags->append, "Not used").flag("--bootstrap", flags->bootstrap, "Not used");
  create.flag("--leave", flags->leave, "Not used").flag("--use", flags->use, "Not used");
  for (const char* names : {"--buildkitd-config,--config", "--buildkitd-flags,--flags", "--driver-opt", "--node",
                            "--platform", "--timeout"}) {
    create.value(names, flags->ignored, "Not used");
  }
  create.hide().run([flags] { return make_builder(*flags); });
}

// ---- ls, inspect

std::string shown_version() { return fmt::format("mbuild {}", k_version); }

std::string builder_table() {
  constexpr const char* k_row = "{:<13} {:<16} {:<8} {:<14} {}\n";
  return fmt::format(k_row, "NAME/NODE", "DRIVER/ENDPOINT", "STATUS", "VERSION", "PLATFORMS") +
         fmt::format(k_row, "mbuild*", "mbuild", "", "", "") +
         fmt::format(k_row, " \\_ mbuild", " \\_ local", "running", shown_version(), join(runnable_platforms(), ", "));
}

std::string builder_json() {
  const ordered_json node = {{"Name", k_builder},
                             {"Endpoint", "local"},
                             {"Status", "running"},
                             {"Version", k_version},
                             {"Platforms", runnable_platforms()}};
  const ordered_json builder = {{"Name", k_builder},
                                {"Driver", k_builder},
                                {"Current", true},
                                {"Dynamic", false},
                                {"Nodes", ordered_json::array({node})}};
  return builder.dump();
}

int list_builders(const std::string& format) {
  if (format.empty() || format == "table") {
    print("{}", builder_table());
  } else if (format == "json") {
    print("{}\n", builder_json());
  } else {
    const ordered_json data = {{"Name", k_builder},
                               {"DriverEndpoint", k_builder},
                               {"Status", "running"},
                               {"Buildkit", shown_version()},
                               {"Platforms", join(runnable_platforms(), ", ")}};
    print("{}\n", fill_template(format, data.dump()));
  }
  return 0;
}

int inspect_builder(const std::string& name) {
  print("Name:      {}\nDriver:    mbuild\n\nNodes:\n", name.empty() ? k_builder : name);
  print("Name:      {}\nEndpoint:  local\nStatus:    running\nVersion:   {}\nPlatforms: {}\n", k_builder,
        shown_version(), join(runnable_platforms(), ", "));
  return 0;
}

void add_shown_builder(Command& top, Command& group) {
  struct Flags {
    std::string format, name, timeout;
    bool ignored = false;
  };
  auto flags = std::make_shared<Flags>();
  Command ls = top.add("ls", "Show the one builder: this program");
  ls.value("--format", flags->format, "table, json, or a text with {{.Name}}, {{.Platforms}}, ...");
  ls.flag("--no-trunc", flags->ignored, "Not used");
  ls.hide().run([flags] { return list_builders(flags->format); });

  Command inspect = group.add("inspect", "Show the one builder and the platforms it has");
  inspect.value("name", flags->name, "Any name means this program");
  inspect.flag("--bootstrap", flags->ignored, "Not used");
  inspect.value("--timeout", flags->timeout, "Not used");
  inspect.hide().run([flags] { return inspect_builder(flags->name); });
}

// ---- use, rm, stop, install, uninstall

struct NothingToDo {
  const char* name;
  const char* note;
  std::vector<const char*> flags;
  bool in_group = false;
};

const std::vector<NothingToDo>& nothing_to_do() {
  static const std::vector<NothingToDo> k_commands = {
      {"use", "mbuild is its own builder; there is no other to change to", {"--default", "--global"}},
      {"rm",
       "there is no builder to remove, and the store stays (`mbuild prune`)",
       {"--all-inactive", "--keep-daemon", "--keep-state", "-f,--force"},
       true},
      {"stop", "no builder runs when no build does", {}, true},
      {"install", "`docker build` stays as it is; `mbuild build` takes the same flags", {}},
      {"uninstall", "`docker build` is as it was", {}},
  };
  return k_commands;
}

// What is typed and not looked at.
struct NotUsed {
  std::vector<std::string> words;
  std::string value;
  bool flag = false;
};

int do_nothing(const char* note, const NotUsed& /*given*/) {
  say("NOTE: nothing had to be done: {}.\n", note);
  return 0;
}

[[noreturn]] int refuse_dialling(const NotUsed& /*given*/) {
  throw usage_error("dial-stdio: mbuild is no BuildKit, and does not speak its protocol")
      .with_advice("`mbuild build` does what a client would ask for.");
}

void add_nothing_to_do(Command& top, Command& group) {
  auto given = std::make_shared<NotUsed>();
  for (const auto& command : nothing_to_do()) {
    Command added =
        (command.in_group ? group : top).add(command.name, "Does nothing: there are no builders to be kept");
    added.values("name=NAME", given->words, "Any name");
    added.value("--timeout", given->value, "Not used");
    for (const char* names : command.flags) added.flag(names, given->flag, "Not used");
    added.hide().run([note = command.note, given] { return do_nothing(note, *given); });
  }
}

// ---- what docker's own program asks

std::string plugin_metadata() {
  const ordered_json metadata = {{"SchemaVersion", "0.1.0"},
                                 {"Vendor", "mbuild"},
                                 {"Version", is_started_as_buildx() ? k_buildx_version : k_version},
                                 {"ShortDescription", "Build images for several platforms, without a daemon"}};
  return metadata.dump(2);
}

}  // namespace

void add_builder_commands(Command& top) {
  Command group = top.add(k_builder_group, "Builders of docker buildx, which nobody needs here");
  group.hide();
  add_create_builder(group);
  add_shown_builder(top, group);
  add_nothing_to_do(top, group);
  top.add("version", "Print the version").hide().run([] {
    if (is_started_as_buildx()) {  // in buildx's form, whose second word others read
      print("mbuild/buildx {} mbuild-{}\n", k_buildx_version, k_version);
    } else {
      print("{}\n", shown_version());
    }
    return 0;
  });
  top.add(k_plugin_metadata_command, "What docker asks its plugins").hide().run([] {
    print("{}\n", plugin_metadata());
    return 0;
  });
  auto given = std::make_shared<NotUsed>();
  Command dial = top.add("dial-stdio", "Refused: mbuild does not speak BuildKit's protocol");
  dial.value("--platform", given->value, "Not used");
  dial.hide().run([given]() -> int { refuse_dialling(*given); });
}

}  // namespace mbuild::cli
