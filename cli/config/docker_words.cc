#include "cli/config/docker_words.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "base/strings.h"

namespace mbuild::cli {
namespace {

using Words = std::vector<std::string>;

constexpr std::string_view k_plugin_prefix = "docker-";
constexpr std::string_view k_buildx = "docker-buildx";
bool started_as_buildx = false;

// Docker's global flags with a value, and the variable that means the same.
struct GlobalFlag {
  std::string_view letter, name;
  const char* variable;
};
constexpr std::array k_global_flags = {
    GlobalFlag{"", "--config", "DOCKER_CONFIG"}, GlobalFlag{"-H", "--host", "DOCKER_HOST"},
    GlobalFlag{"-c", "--context", nullptr},      GlobalFlag{"-l", "--log-level", nullptr},
    GlobalFlag{"", "--tlscacert", nullptr},      GlobalFlag{"", "--tlscert", nullptr},
    GlobalFlag{"", "--tlskey", nullptr},
};

// The number of words that the global flag takes which they begin with; what it says goes into the environment.
std::size_t take_global_flag(const Words& words) {
  const auto equals = words[0].find('=');
  const auto name = words[0].substr(0, equals);
  for (const auto& flag : k_global_flags) {
    if (name != flag.name && (flag.letter.empty() || name != flag.letter)) continue;
    if (equals == std::string::npos && words.size() < 2) return 1;
    const auto value = equals == std::string::npos ? words[1] : words[0].substr(equals + 1);
    if (flag.variable != nullptr) ::setenv(flag.variable, value.c_str(), 1);
    return equals == std::string::npos ? 2 : 1;
  }
  return 1;  // --debug, --tls, --tlsverify
}

Words without_plugin_words(const std::string& plugin, Words words) {
  while (!words.empty() && words[0].starts_with('-') && words[0] != "--help" && words[0] != "--version") {
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(take_global_flag(words)));
  }
  const bool help = !words.empty() && words[0] == "help";
  if (words.size() > (help ? 1U : 0U) && words[help ? 1 : 0] == plugin) words.erase(words.begin() + (help ? 1 : 0));
  return words;
}

// `docker stop` is of containers, `docker buildx stop` of builders.
bool means_builders(const Words& words) {
  std::size_t i = 0;
  while (i < words.size() && words[i].starts_with('-')) i += words[i] == "--builder" ? 2 : 1;
  return i < words.size() && (words[i] == "create" || words[i] == "inspect" || words[i] == "rm" || words[i] == "stop");
}

// `docker create` is of containers, `docker buildx create` of builders: which is meant where no group is said, its
// flags tell. Who makes a container names its image.
bool creates_builder(const Words& words) {
  constexpr std::array<std::string_view, 11> k_flags = {
      "--append", "--bootstrap", "--buildkitd-config", "--config", "--buildkitd-flags",
      "--flags",  "--driver",    "--driver-opt",       "--leave",  "--node",
      "--use"};
  bool has_other_word = false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto name = std::string_view(words[i]).substr(0, words[i].find('='));
    if (std::ranges::find(k_flags, name) != k_flags.end()) return true;
    has_other_word = has_other_word || !words[i].starts_with('-');
    if (words[i] == "--name" || words[i] == "--platform") ++i;
  }
  return !has_other_word && !words.empty() && std::ranges::find(words, "--help") == words.end();
}

// buildx's `debug [--on=error] build ...`: a build that opens a shell where it fails.
Words without_debug(Words words) {
  std::size_t next = 1;
  if (next < words.size() && words[next] == "--on=error") ++next;
  if (next + 1 < words.size() && words[next] == "--on" && words[next + 1] == "error") next += 2;
  if (next >= words.size() || words[next] != "build") return words;
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(next));
  words.insert(words.begin() + 1, {"--on-failure", "shell"});
  return words;
}

struct DockerWord {
  std::string_view word, advice;
};
constexpr std::array k_words = {
    DockerWord{"events",
               "`mbuild ps` shows what runs, `mbuild wait` ends with a container, `mbuild logs -f` follows one."},
    DockerWord{"pause", "A container runs until it is stopped: `mbuild stop`."},
    DockerWord{"unpause", "A container runs until it is stopped: `mbuild stop`."},
    DockerWord{"update", "A container has its limits from its start on: run it anew with others."},
    DockerWord{"manifest", "`mbuild imagetools` makes and shows image indexes, `mbuild merge` joins those of CI jobs."},
    DockerWord{"compose", "mbuild builds images; it does not run them."},
    DockerWord{"system", "`mbuild du` shows what the store holds, `mbuild doctor` what the host offers."},
    DockerWord{"info", "`mbuild doctor` says what the host offers."},
    DockerWord{"dap", "There is no debugger."},
    DockerWord{"policy",
               "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY names a policy on sources; those in Rego are not evaluated."},
    DockerWord{"bud", "The command is `mbuild build`."},
};

}  // namespace

bool is_started_as_buildx() { return started_as_buildx; }

Words without_docker_words(std::string_view program, Words words) {
  const auto name = base_name(program);
  started_as_buildx = name == k_buildx;
  if (name.starts_with(k_plugin_prefix)) {
    words = without_plugin_words(name.substr(k_plugin_prefix.size()), std::move(words));
  }
  const bool in_group = !words.empty() && (words[0] == "buildx" || words[0] == "builder");
  if (in_group) words.erase(words.begin());
  if (in_group && words.empty()) words = {"--help"};
  const bool is_group = in_group || name == k_buildx;
  const bool creates = !is_group && !words.empty() && words[0] == "create" && creates_builder(words);
  if (creates || (is_group && means_builders(words))) words.insert(words.begin(), k_builder_group);
  return !words.empty() && words[0] == "debug" ? without_debug(std::move(words)) : words;
}

std::string advice_for_docker_word(std::string_view word) {
  const auto found = std::ranges::find(k_words, word, &DockerWord::word);
  return found == k_words.end() ? "" : std::string(found->advice);
}

}  // namespace mbuild::cli
