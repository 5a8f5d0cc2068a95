#include "frontend/dockerfile/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace mbuild::frontend::dockerfile {
namespace {

constexpr auto k_boolean = FlagKind::boolean;
constexpr auto k_text = FlagKind::text;
constexpr auto k_list = FlagKind::list;

constexpr FlagInfo k_chown{"chown", k_text, "USER[:GROUP]", "owner of what is copied; names are those of the image"};
constexpr FlagInfo k_chmod{"chmod", k_text, "MODE", "permissions, octal or like u+x,go-w"};
constexpr FlagInfo k_link{"link", k_boolean, "", "make a layer that does not depend on what is below"};
constexpr FlagInfo k_exclude{"exclude", k_list, "PATTERN", "leave out what matches; as in .dockerignore"};

constexpr std::array k_add_flags = {
    k_chown,
    k_chmod,
    k_link,
    FlagInfo{"keep-git-dir", k_boolean, "", "keep .git of a git source"},
    FlagInfo{"checksum", k_text, "DIGEST", "what an HTTP source must hash to, or the commit of a git source"},
    FlagInfo{"unpack", k_boolean, "", "unpack archives: by default local ones only"},
    k_exclude,
};
constexpr std::array k_copy_flags = {
    k_chown,
    FlagInfo{"from", k_text, "STAGE|IMAGE|CONTEXT", "copy from there instead of the build context"},
    k_chmod,
    k_link,
    k_exclude,
    FlagInfo{"parents", k_boolean, "", "keep the directories of the source path, those after /./ if it has one"},
};
constexpr std::array k_from_flags = {
    FlagInfo{"platform", k_text, "OS/ARCH[/VARIANT]", "the image's platform, such as $BUILDPLATFORM"},
};
constexpr std::array k_health_flags = {
    FlagInfo{"interval", k_text, "DURATION", "time between two checks"},
    FlagInfo{"timeout", k_text, "DURATION", "when a check counts as failed"},
    FlagInfo{"start-period", k_text, "DURATION", "time at the start in which failures do not count"},
    FlagInfo{"start-interval", k_text, "DURATION", "time between two checks in the start period"},
    FlagInfo{"retries", k_text, "N", "failures in a row that make it unhealthy"},
};
constexpr std::array k_run_flags = {
    FlagInfo{"mount", k_list, "KEY=VALUE,...", "mount something for this command (see below)"},
    FlagInfo{"network", k_text, "default|none|host", "network of the command"},
    FlagInfo{"security", k_text, "sandbox|insecure", "insecure: without restrictions"},
    FlagInfo{"device", k_list, "NAME[,required]", "a device by its CDI name"},
};

constexpr std::array<InstructionInfo, 18> k_instructions = {{
    {Keyword::add, "ADD", "SOURCE... DESTINATION", "copy files, archives, URLs or git repositories into the image",
     true, true, k_add_flags},
    {Keyword::arg, "ARG", "NAME[=DEFAULT]...", "declare build arguments", false, false, {}},
    {Keyword::cmd, "CMD", "COMMAND | [\"PROGRAM\", ...]", "default command of a container", false, true, {}},
    {Keyword::copy, "COPY", "SOURCE... DESTINATION", "copy files into the image", true, true, k_copy_flags},
    {Keyword::entrypoint, "ENTRYPOINT", "COMMAND | [\"PROGRAM\", ...]", "program of a container", false, true, {}},
    {Keyword::env, "ENV", "NAME=VALUE...", "set environment variables", false, true, {}},
    {Keyword::expose,
     "EXPOSE",
     "PORT[-PORT][/PROTOCOL]...",
     "say which ports the application listens on",
     false,
     true,
     {}},
    {Keyword::from, "FROM", "IMAGE [AS NAME]", "begin a stage from an image or another stage", false, true,
     k_from_flags},
    {Keyword::healthcheck, "HEALTHCHECK", "CMD COMMAND | NONE", "how to tell whether a container is well", false, true,
     k_health_flags},
    {Keyword::label, "LABEL", "NAME=VALUE...", "add metadata", false, true, {}},
    {Keyword::maintainer, "MAINTAINER", "NAME", "set the author (deprecated: use LABEL)", false, true, {}},
    {Keyword::onbuild, "ONBUILD", "INSTRUCTION", "run an instruction when this image is built upon", false, true, {}},
    {Keyword::run, "RUN", "COMMAND | [\"PROGRAM\", ...] | <<DELIMITER", "run a command and keep its changes", true,
     true, k_run_flags},
    {Keyword::shell, "SHELL", "[\"PROGRAM\", ...]", "the shell of shell-form commands", false, true, {}},
    {Keyword::stopsignal, "STOPSIGNAL", "SIGNAL", "signal that stops a container", false, false, {}},
    {Keyword::user, "USER", "USER[:GROUP]", "who runs what follows", false, true, {}},
    {Keyword::volume, "VOLUME", "PATH... | [\"PATH\", ...]", "mark directories as volumes", false, true, {}},
    {Keyword::workdir, "WORKDIR", "PATH", "change the working directory, making it if need be", false, true, {}},
}};

constexpr std::string_view k_mount_reference = R"(
Mounts: RUN --mount=type=TYPE,KEY=VALUE,...
  bind    target, source, from, rw                      files of the context, a stage or an image (the default)
  cache   target, id, sharing=shared|private|locked,    a directory that outlives the build
          from, source, ro, mode, uid, gid
  tmpfs   target, size                                  an empty directory in memory
  secret  id, target, env, required, mode, uid, gid     a secret of the build, as a file or a variable
  ssh     id, target, required, mode, uid, gid          the socket of an ssh agent
Write type= first: required and size are refused before it.

Here-documents: RUN, COPY and ADD take <<DELIMITER words; "<<-" strips leading tabs, a quoted delimiter
switches expansion off.

Variables: $NAME ${NAME} ${NAME:-word} ${NAME-word} ${NAME:+word} ${NAME+word} ${NAME:?text} ${NAME?text}
  ${NAME#pattern} ${NAME##pattern} ${NAME%pattern} ${NAME%%pattern} ${NAME/pattern/text} ${NAME//pattern/text}

Directives, at the top of the file:
  # syntax=IMAGE            accepted; the built-in language is used
  # escape=` or \           the escape and continuation character
  # check=skip=RULE,...;error=true;experimental=RULE,...
Above an instruction, "# check=skip=RULE,..." silences rules for it alone.
)";

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known) {
  constexpr std::size_t k_too_far = 3;
  constexpr std::size_t k_longest = 64;  // what is longer is no mistyped word
  if (word.size() > k_longest || std::ranges::find(known, word) != known.end()) return {};
  std::string_view best;
  std::size_t best_distance = k_too_far;
  for (const auto candidate : known) {
    const auto distance = edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

}  // namespace

std::span<const InstructionInfo> instructions() { return k_instructions; }

const InstructionInfo* find_instruction(std::string_view name) {
  const auto found = std::ranges::find_if(k_instructions, [&](const auto& info) { return iequals(info.name, name); });
  return found == k_instructions.end() ? nullptr : &*found;
}

std::string suggest(std::string_view word, std::span<const std::string_view> known) {
  const auto best = nearest_word(word, known);
  return best.empty() ? "" : fmt::format(" (did you mean {}?)", best);
}

std::string suggest(std::string_view word, std::span<const std::string> known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  return suggest(word, views);
}

std::string suggest_instruction(std::string_view name) {
  std::vector<std::string_view> known;
  for (const auto& info : k_instructions) known.push_back(info.name);
  const auto upper = to_upper(name);
  const auto best = nearest_word(upper, known);
  if (best.empty()) return "";
  return fmt::format(" (did you mean {}?)", name == upper ? std::string(best) : to_lower(best));
}

std::string reference_text() {
  std::string out = "Dockerfile instructions (any case; \\ at the end of a line continues it):\n";
  for (const auto& info : k_instructions) {
    out +=
        fmt::format("\n{}{} {}\n    {}\n", info.name, info.flags.empty() ? "" : " [FLAGS]", info.usage, info.summary);
    for (const auto& flag : info.flags) {
      const auto head = flag.kind == FlagKind::boolean ? fmt::format("--{}[=BOOL]", flag.name)
                                                       : fmt::format("--{}={}", flag.name, flag.value);
      out += fmt::format("      {:<32} {}{}\n", head, flag.summary, flag.kind == FlagKind::list ? " (repeatable)" : "");
    }
  }
  return out += k_mount_reference;
}

}  // namespace mbuild::frontend::dockerfile
