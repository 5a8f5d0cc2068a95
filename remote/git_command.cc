#include "remote/git_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/host_variable.h"
#include "base/strings.h"
#include "remote/secrets.h"
#include "remote/url.h"

namespace mbuild::remote {
namespace {

using Setting = std::pair<std::string, std::string>;

// Variables of a repository around us (mbuild may be run by a git hook) that would lead git to the wrong place.
constexpr std::array k_foreign = {"GIT_DIR",
                                  "GIT_WORK_TREE",
                                  "GIT_INDEX_FILE",
                                  "GIT_OBJECT_DIRECTORY",
                                  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                                  "GIT_COMMON_DIR",
                                  "GIT_NAMESPACE",
                                  "GIT_PREFIX",
                                  "GIT_SHALLOW_FILE",
                                  "GIT_CONFIG",
                                  "GIT_TEMPLATE_DIR",
                                  "GIT_CONFIG_PARAMETERS"};

// The settings of every run: what a check-out yields must not depend on where it is made, and nothing of the
// repository may be executed. They travel in the environment, where other users can't read the authorization.
std::vector<Setting> settings(const frontend::GitRef& source, const GitOptions& options) {
  std::vector<Setting> all{
      {"core.autocrlf", "false"},       {"core.symlinks", "true"},     {"core.fileMode", "true"},
      {"core.hooksPath", "/dev/null"},  {"core.fsmonitor", "false"},   {"gc.auto", "0"},
      {"advice.detachedHead", "false"}, {"maintenance.auto", "false"}, {"init.defaultBranch", "main"},
      {"http.lowSpeedLimit", "1"},      {"http.lowSpeedTime", "60"},   {"protocol.ext.allow", "never"}};
  if (!options.ca_file.empty()) all.emplace_back("http.sslCAInfo", options.ca_file);
  const auto url = parse_url(source.remote);
  if (url && !options.authorization.empty()) {
    all.emplace_back(fmt::format("http.{}://{}/.extraHeader", url->scheme, url->authority()),
                     "Authorization: " + options.authorization);
  }
  return all;
}

std::vector<std::string> environment(const frontend::GitRef& source, const GitOptions& options) {
  std::vector<std::string> out{"GIT_TERMINAL_PROMPT=0",       "GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_CONFIG_NOSYSTEM=1",
                               "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C"};
  out.insert(out.end(), k_foreign.begin(), k_foreign.end());
  std::string ssh = options.ssh_command;
  if (ssh.empty() && !host_variable("GIT_SSH_COMMAND") && !host_variable("GIT_SSH")) {
    ssh = "ssh -o BatchMode=yes -o ConnectTimeout=20";
  }
  if (!ssh.empty()) out.push_back("GIT_SSH_COMMAND=" + ssh);
  if (!options.ssh_agent.empty()) out.push_back("SSH_AUTH_SOCK=" + options.ssh_agent);
  const auto all = settings(source, options);
  out.push_back(fmt::format("GIT_CONFIG_COUNT={}", all.size()));
  for (std::size_t i = 0; i < all.size(); ++i) {
    out.push_back(fmt::format("GIT_CONFIG_KEY_{}={}", i, all[i].first));
    out.push_back(fmt::format("GIT_CONFIG_VALUE_{}={}", i, all[i].second));
  }
  return out;
}

bool says(std::string_view text, std::initializer_list<std::string_view> phrases) {
  return std::ranges::any_of(phrases, [&](std::string_view p) { return text.find(p) != std::string_view::npos; });
}

bool network_may_recover(std::string_view error) {
  return says(error, {"Connection reset", "Connection refused", "Connection timed out", "Operation timed out",
                      "early EOF", "unexpected disconnect", "hung up unexpectedly", "RPC failed", "Empty reply",
                      "error: 429", "error: 500", "error: 502", "error: 503", "error: 504", "Could not resolve host",
                      "Temporary failure in name resolution"});
}

std::string advice_for(std::string_view error) {
  if (says(error, {"could not read Username", "Authentication failed", "error: 401", "error: 403",
                   "terminal prompts disabled"})) {
    return "The repository does not exist or needs credentials: give --secret id=GIT_AUTH_TOKEN.";
  }
  if (says(error, {"Permission denied (publickey", "Host key verification failed"})) {
    return "Give access with --ssh default (an agent that holds the key), and have the host in known_hosts.";
  }
  return "Check the repository's address and that it can be reached.";
}

// git's words on one line, without what it says about progress and without credentials.
std::string error_words(std::string_view text, const frontend::GitRef& source, const GitOptions& options) {
  std::string words;
  for (const auto& line : split(text, '\n')) {
    if (trim(line).empty()) continue;
    words += (words.empty() ? "" : "; ") + std::string(trim(line));
  }
  if (const auto url = parse_url(source.remote); url && !url->user_info.empty()) {
    const std::string secret = url->user_info + "@";
    for (auto at = words.find(secret); at != std::string::npos; at = words.find(secret)) words.erase(at, secret.size());
  }
  if (!options.authorization.empty()) {
    words = without_secrets(std::move(words), secrets_of({{"Authorization", options.authorization}}));
  }
  return words.size() > 600 ? words.substr(words.size() - 600) : words;
}

}  // namespace

GitCommand::GitCommand(const frontend::GitRef& source, const GitOptions& options, std::stop_token stop,
                       std::string directory)
    : source_(source),
      options_(options),
      stop_(std::move(stop)),
      directory_(std::move(directory)),
      environment_(environment(source, options)) {
  if (find_program("git").empty()) {
    throw Error(ExitClass::host, "the git program is not installed").with_advice("Install the package git.");
  }
}

SubprocessResult GitCommand::try_run(std::vector<std::string> arguments) const {
  // The shell sets the umask, which posix_spawn cannot: modes in the check-out must be 0644 and 0755.
  std::vector<std::string> argv{"/bin/sh", "-c", "umask 022; exec git \"$@\"", "git"};
  argv.insert(argv.end(), std::make_move_iterator(arguments.begin()), std::make_move_iterator(arguments.end()));
  return run_program(argv, {}, stop_, directory_, environment_);
}

void GitCommand::fail(const std::string& command, const SubprocessResult& result) const {
  auto words = error_words(result.error, source_, options_);
  if (words.empty()) words = fmt::format("exit status {}", result.status);
  HttpError error(network_may_recover(result.error) ? HttpFailure::interrupted : HttpFailure::other, 0,
                  fmt::format("git {} of {}: {}", command, printable_url(source_.remote), words),
                  advice_for(result.error));
  throw error;
}

std::string GitCommand::run(std::vector<std::string> arguments) const {
  const std::string command = arguments.front();
  auto result = try_run(std::move(arguments));
  if (result.status != 0) fail(command, result);
  return std::string(trim(result.output));
}

std::string GitCommand::run_remote(const std::vector<std::string>& arguments) const {
  HttpOptions retries;
  retries.attempts = options_.attempts;
  std::string output;
  with_retries(retries, options_.on_retry, stop_, [&] { output = run(arguments); });
  return output;
}

}  // namespace mbuild::remote
