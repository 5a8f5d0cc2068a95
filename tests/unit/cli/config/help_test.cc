#include "cli/config/help.h"

#include "base/strings.h"
#include "cli/display/columns.h"
#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::cli;
using mbuild::testing::error_of;

namespace {

OptionAbout option(std::vector<std::string> names, std::string placeholder, std::string help, std::string group) {
  OptionAbout about;
  about.names = std::move(names);
  about.placeholder = std::move(placeholder);
  about.help = std::move(help);
  about.group = std::move(group);
  return about;
}

CommandAbout program() {
  CommandAbout build, program;
  build.name = "mbuild build";
  build.help = "Build an image from a Dockerfile";
  build.examples = {{"mbuild build .", "Build what is here."}};
  build.options = {option({"-t", "--tag"}, "NAME",
                          "Name of the image, which may be long enough to be folded twice at least", "Most used"),
                   option({"--push"}, "", "Push it", "Most used"), option({"--file"}, "FILE", "It's a [file]", "Other"),
                   option({"context"}, "PATH", "Where it is", "Other")};
  build.options.back().positional = true;
  program.name = "mbuild";
  program.help = "Builds images.";
  program.commands = {build};
  return program;
}

}  // namespace

TEST_CASE("Help has usage, examples and groups, folded at words") {
  CHECK(help_text(program().commands[0], 60) ==
        "Usage: mbuild build [OPTIONS] [PATH]\n"
        "\n"
        "Build an image from a Dockerfile\n"
        "\n"
        "Examples:\n"
        "  mbuild build .\n"
        "      Build what is here.\n"
        "\n"
        "  PATH      Where it is\n"
        "\n"
        "Most used:\n"
        "  -t, --tag NAME   Name of the image, which may be long\n"
        "                   enough to be folded twice at least\n"
        "      --push       Push it\n"
        "\n"
        "Other:\n"
        "      --file FILE  It's a [file]\n");
  CHECK(help_text(program(), 60).find("  build  Build an image") != std::string::npos);
}

TEST_CASE("No line of a help is wider than it may be") {
  for (const std::size_t columns : {24, 40, 80}) {
    for (const auto& line : split(help_text(program().commands[0], columns), '\n')) CHECK(columns_of(line) <= columns);
  }
}

TEST_CASE("Text is folded between words, and a word that is too long stays whole") {
  CHECK(folded("a b c", 3, 0, 1) == "a b\n c\n");
  CHECK(folded("abcdef g", 3, 0, 0) == "abcdef\ng\n");
  CHECK(folded("one\ntwo", 80, 2, 2) == "  one\n  two\n");
}

TEST_CASE("A manual page has all commands and no line that is a request by mistake") {
  auto about = program();
  about.help = ".dangerous\nsecond";
  const auto page = man_page(about);
  CHECK(page.find("\n\\&.dangerous\n") != std::string::npos);
  CHECK(page.find(".SH SYNOPSIS\n\\fBmbuild\\fR COMMAND\n") != std::string::npos);
  CHECK(page.find(".SH \"MBUILD BUILD\"\n\\fBmbuild build\\fR [OPTIONS] ") != std::string::npos);
  CHECK(page.find("\\fB\\-t, \\-\\-tag\\fR \\fINAME\\fR\n") != std::string::npos);
}

TEST_CASE("There is completion for three shells") {
  CHECK(completion_script(program(), "bash").find("'build') words='-t --tag --push --file'") != std::string::npos);
  CHECK(completion_script(program(), "zsh").find("'*--file[It'\\''s a \\[file\\]]:FILE:_files'") != std::string::npos);
  CHECK(completion_script(program(), "fish").find("-l file -r -d 'It\\'s a [file]'") != std::string::npos);
  CHECK(error_of([] { completion_script(program(), "ash"); }) == "2 there is no completion for \"ash\"");
}
