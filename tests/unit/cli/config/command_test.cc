#include "cli/config/command.h"

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cli;
using mbuild::testing::error_of;
using mbuild::testing::TemporaryDirectory;

namespace {

struct Found {
  std::string command, context, tag, platform;
  std::vector<std::string> names, filters;
  bool quiet = false;
};

// What a program with the commands build, du and images makes of the words.
Found found_in(std::vector<std::string> words) {
  Found found;
  const auto add = [&](Command& top) {
    auto build = top.add("build", "", "b");
    build.value("context", found.context, "").value("-t,--tag", found.tag, "").value("--platform", found.platform, "");
    build.flag("-q,--quiet", found.quiet, "").run([&] { return (found.command = "build"), 0; });
    top.add("du", "").value("--root", found.tag, "").run([&] { return (found.command = "du"), 0; });
    top.add("images", "").run([&] { return (found.command = "images"), 0; });
    top.add("show", "").values("name", found.names, "").values("-f,--filter", found.filters, "").run([&] {
      return (found.command = "show"), 0;
    });
    top.add("prune", "").run([&] { return (found.command = "prune"), 0; });
    top.add("hidden", "").hide().run([&] { return (found.command = "hidden"), 0; });
  };
  run_command_line({.name = "program",
                    .version = "1",
                    .about = "",
                    .add = {add},
                    .implied_command = "build",
                    .never_suggested = {"prune"},
                    .add_to_each = [](Command& each) { each.unused_value("--builder", [] {}); }},
                   std::move(words));
  return found;
}

}  // namespace

TEST_CASE("Words without a command are those of the build") {
  for (const char* context : {".", "..", "-", "/", "./app", "https://host/x.git", "git@host:x.git"}) {
    CHECK(found_in({context}).command == "build");
    CHECK(found_in({context}).context == context);
  }
  const auto found = found_in({"--platform", "linux/arm64", "-qt", "name", "."});
  CHECK(found.command == "build");
  CHECK(found.platform == "linux/arm64");
  CHECK(found.tag == "name");
  CHECK(found.quiet);
  CHECK(found.context == ".");
  CHECK(found_in({".", "-t", "name"}).tag == "name");
  CHECK(found_in({"--tag=name", "--", "."}).context == ".");
}

TEST_CASE("A first word that is a command stays that command") {
  CHECK(found_in({"b", "."}).command == "build");
  CHECK(found_in({"images"}).command == "images");
  CHECK(found_in({"du", "--root", "."}).command == "du");
  CHECK(found_in({"-t", "du", "."}).tag == "du");
  const auto found = found_in({"--platform", "p", "build", "."});
  CHECK(found.platform == "p");
  CHECK(found.context == ".");
}

TEST_CASE("A directory in the current one is a context, and a mistyped command is told as one") {
  const TemporaryDirectory directory;
  CHECK(found_in({directory.path()}).context == directory.path());
  CHECK(error_of([] { found_in({"biuld", "."}); }) ==
        "2 \"biuld\" is neither a command nor a directory to build from (did you mean build?)");
  CHECK(error_of([] { found_in({"-q", "imagse"}); }) ==
        "2 \"imagse\" is neither a command nor a directory to build from (did you mean images?)");
}

TEST_CASE("What destroys or is hidden is never suggested, and docker's words are known") {
  CHECK(error_of([] { found_in({"prun"}); }).find("prune?") == std::string::npos);
  CHECK(error_of([] { found_in({"hiden"}); }) == "2 \"hiden\" is neither a command nor a directory to build from");
  CHECK(error_of([] { found_in({"rmi", "x"}); }) == "2 \"rmi\" is neither a command nor a directory to build from");
  CHECK(found_in({"hidden"}).command == "hidden");
}

TEST_CASE("A flag of all commands may stand before and after each") {
  CHECK(found_in({"--builder", "x", "du"}).command == "du");
  CHECK(found_in({"images", "--builder=x"}).command == "images");
  CHECK(found_in({"--builder", "du", "."}).context == ".");
}

TEST_CASE("Words in brackets or braces are words like others") {
  using Words = std::vector<std::string>;
  CHECK(found_in({"show", "[ab]", "[a,b]", "{}", "[]"}).names == Words{"[ab]", "[a,b]", "{}", "[]"});
  CHECK(found_in({"show", "{}"}).names == Words{"{}"});
  CHECK(found_in({"show", "--", "[ab]"}).names == Words{"[ab]"});
  CHECK(found_in({"show", "-f", "[a,b]", "--filter=[c]", "-f[d]", "[x]"}).filters == Words{"[a,b]", "[c]", "[d]"});
  CHECK(found_in({"build", "[a]"}).context == "[a]");
  CHECK(found_in({"build", "-t", "[a]", "."}).tag == "[a]");
}

TEST_CASE("The value of a short flag may follow an equals sign") {
  CHECK(found_in({"build", "-t=name", "."}).tag == "name");
  CHECK(found_in({"-qt=a=b", "."}).tag == "a=b");
  CHECK(found_in({"build", "-t", "=a", "."}).tag == "=a");
  CHECK(found_in({"show", "-f=a", "-f=b", "c"}).names == std::vector<std::string>{"c"});
}

TEST_CASE("An empty value is one, but for a flag of yes and no") {
  const auto found = found_in({"build", "--tag=", "--platform=", "--builder=", "."});
  CHECK(found.tag.empty());
  CHECK(found.platform.empty());
  CHECK(found.context == ".");
  CHECK(found_in({"--tag=", "."}).context == ".");
  CHECK(found_in({"show", "--filter=", "x"}).filters == std::vector<std::string>{""});
  CHECK(found_in({"build", "--quiet=", "."}).command.empty());
}
