#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cli/cancel.h"
#include "cli/commands.h"
#include "cli/config/config.h"
#include "cli/config/store_root.h"
#include "cli/display/terminal.h"
#include "remote/login.h"

namespace mbuild::cli {
namespace {

struct LoginFlags {
  std::string server = "docker.io", user, password;
  bool from_input = false;
};

std::string config_directory() {
  auto directory = remote::docker_config_directory(environment_variable);
  if (!directory.empty()) return directory;
  throw Error(ExitClass::usage, "there is no place for credentials: neither HOME nor DOCKER_CONFIG is set")
      .with_advice("DOCKER_CONFIG names a directory for them.");
}

// "https://host/v1/" is how docker's documentation calls one.
std::string host_of(const std::string& server) {
  std::string host = server;
  if (const auto scheme = host.find("://"); scheme != std::string::npos) host.erase(0, scheme + 3);
  host = host.substr(0, host.find('/'));
  if (host.empty())
    throw usage_error(fmt::format("\"{}\" is no registry", server)).with_advice("It is HOST or HOST:PORT.");
  return host == "index.docker.io" || host == "registry-1.docker.io" ? "docker.io" : host;
}

std::string password_of(const LoginFlags& flags) {
  if (flags.from_input && !flags.password.empty())
    throw usage_error("--password and --password-stdin can't be used together");
  if (flags.from_input) {
    if (flags.user.empty()) throw usage_error("--password-stdin needs --username");
    std::string text = read_all(STDIN_FILENO);
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text;
  }
  if (flags.password.empty()) return ask("Password: ", Echo::off);
  say("WARNING: others on this machine can see a password on a command line: --password-stdin hides it.\n");
  return flags.password;
}

int log_in(const LoginFlags& flags) {
  const auto directory = config_directory();
  const auto host = host_of(flags.server);
  remote::Credentials credentials;
  credentials.user =
      flags.user.empty() && !flags.from_input ? ask(fmt::format("Username for {}: ", host), Echo::on) : flags.user;
  credentials.password = password_of(flags);
  if (credentials.user.empty() || credentials.password.empty()) {
    throw usage_error("a user name and a password are needed").with_advice("-u NAME and --password-stdin give them.");
  }
  CancelOnSignal cancel;
  remote::check_login(host, credentials, load_config().registries, cancel.token());
  const auto place = remote::store_login(directory, host, credentials, cancel.token());
  if (place.helper.empty()) {
    say("The password is in {} as it is: a credential helper would keep it better.\n", place.file);
  }
  print("Login Succeeded\n");
  return 0;
}

int log_out(const LoginFlags& flags) {
  CancelOnSignal cancel;
  const auto host = host_of(flags.server);
  const bool found = remote::erase_login(config_directory(), host, cancel.token());
  found ? print("Removed the credentials for {}\n", host) : print("Not logged in to {}\n", host);
  return 0;
}

}  // namespace

void add_login_commands(Command& top) {
  const auto flags = std::make_shared<LoginFlags>();
  Command login = top.add("login", "Keep a user name and a password for a registry, where docker keeps them");
  login.value("-u,--username", flags->user, "User name");
  login.value("-p,--password", flags->password, "Password; others can see it");
  login.flag("--password-stdin", flags->from_input, "Read the password from standard input");
  login.value("server", flags->server, "HOST or HOST:PORT (docker.io)");
  login.run([flags] { return log_in(*flags); });
  Command logout = top.add("logout", "Forget a user name and a password");
  logout.value("server", flags->server, "HOST or HOST:PORT (docker.io)");
  logout.run([flags] { return log_out(*flags); });
}

}  // namespace mbuild::cli
