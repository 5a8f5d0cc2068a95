#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/config/help.h"
#include "cli/display/terminal.h"

namespace mbuild::cli {
namespace {

// The command that the words name below the program.
const CommandAbout& find(const CommandAbout& program, const std::vector<std::string>& words) {
  const CommandAbout* found = &program;
  for (const auto& word : words) {
    const auto below = std::ranges::find(found->commands, word, short_name);
    if (below == found->commands.end()) throw usage_error(fmt::format("{} has no command \"{}\"", found->name, word));
    found = &*below;
  }
  return *found;
}

}  // namespace

void add_help_commands(Command& top) {
  auto shell = std::make_shared<std::string>();
  Command completion = top.add("completion", "Print a script that completes commands and flags in a shell");
  completion.value("shell=SHELL", *shell, "bash, zsh or fish", Presence::required);
  completion.examples({{"mbuild completion bash > /etc/bash_completion.d/mbuild", "For all users of bash."},
                       {"mbuild completion fish > ~/.config/fish/completions/mbuild.fish", "For one user of fish."}});
  completion.run([top, shell] {
    print("{}", completion_script(top.about(), *shell));
    return 0;
  });

  auto words = std::make_shared<std::vector<std::string>>();
  Command man = top.add("man", "Print the manual page of a command, in roff");
  man.values("command=COMMAND", *words, "Words of the command; none: of all");
  man.hide().run([top, words] {
    print("{}", man_page(find(top.about(), *words)));
    return 0;
  });
}

}  // namespace mbuild::cli
