#include <fmt/format.h>

#include "tests/unit/frontend/syntax_samples.h"

using namespace mbuild::frontend::dockerfile;
using Catch::Matchers::Contains;
using samples::instruction_error;
using samples::only;
using samples::parse;
using samples::parse_error;
using Strings = std::vector<std::string>;

TEST_CASE("stages hold their instructions, global arguments come before") {
  const auto file = parse("ARG A=1 B\nFROM --platform=$P base AS Build\nRUN x\nFROM build\nUSER u\n");
  REQUIRE(file.global_args.size() == 1);
  const auto& args = std::get<ArgInstruction>(file.global_args[0].body).args;
  REQUIRE(args.size() == 2);
  CHECK(args[0].value == "1");
  CHECK_FALSE(args[1].value.has_value());
  REQUIRE(file.stages.size() == 2);
  const auto& from = std::get<FromInstruction>(file.stages[0].from.body);
  CHECK(from.platform == "$P");
  CHECK(from.base == "base");
  CHECK(from.name == "build");
  CHECK(from.name_as_written == "Build");
  CHECK(from.as_keyword == "AS");
  CHECK(file.stages[1].instructions.size() == 1);
}

TEST_CASE("continued lines are joined as they are, comments between them left out") {
  const auto file = parse("FROM scratch\nRUN a \\  \n  # no \\\n\t&& b\\\nc\nRUN d\n");
  const auto& run = file.stages[0].instructions[0];
  CHECK(std::get<RunInstruction>(run.body).command.words == Strings{"a \t&& bc"});
  CHECK(run.text == "RUN a \t&& bc");
  CHECK(run.range.first == 2);
  CHECK(run.range.last == 5);
  CHECK(file.stages[0].instructions[1].range.first == 6);
}

TEST_CASE("a doubled escape at the end of a line continues nothing") {
  const auto file = parse("FROM scratch\nRUN a \\\\\nRUN b\n");
  CHECK(std::get<RunInstruction>(file.stages[0].instructions[0].body).command.words == Strings{"a \\\\"});
  CHECK(file.stages[0].instructions.size() == 2);
}

TEST_CASE("an escape at the end of the file is harmless") {
  CHECK(only<RunInstruction>("RUN a \\").command.words == Strings{"a"});
}

TEST_CASE("a blank line in a continuation is noted") {
  const auto file = parse("FROM scratch\nRUN a \\\n\n  b\n");
  REQUIRE(file.empty_continuations.size() == 1);
  CHECK(file.empty_continuations[0].first == 4);
}

TEST_CASE("byte order mark and carriage returns are dropped") {
  const auto file = parse("\xef\xbb\xbf# escape=`\r\nFROM a\r\nRUN x `\r\n y\r\n");
  CHECK(file.escape == '`');
  CHECK(std::get<RunInstruction>(file.stages[0].instructions[0].body).command.words == Strings{"x  y"});
  CHECK(file.lines[1] == "FROM a");
}

TEST_CASE("directives are read until the first other line") {
  const auto file =
      parse("#syntax = docker/dockerfile:1 --x\n# Escape=`\n# check=skip=A,B;error=true and why\n\nFROM a\n");
  CHECK(file.syntax == "docker/dockerfile:1 --x");
  CHECK(file.escape == '`');
  CHECK(file.check.skip == Strings{"A", "B"});
  CHECK(file.check.error);
  CHECK(parse("# a comment\n# escape=`\nFROM a\n").escape == '\\');
  CHECK(parse("# other=1\n# escape=`\nFROM a\n").escape == '\\');
  CHECK(parse("\n# escape=`\nFROM a\n").escape == '\\');
}

TEST_CASE("behind a #! line check counts and escape doesn't") {
  const auto file = parse("#!/usr/bin/env x\n# check=skip=all\n# escape=`\nFROM a\n");
  CHECK(file.check.skip_all);
  CHECK(file.escape == '\\');
}

TEST_CASE("bad directives are refused") {
  CHECK_THAT(parse_error("# escape=x\nFROM a\n"), Contains("line 1: invalid escape token 'x' does not match ` or \\"));
  CHECK_THAT(parse_error("# escape=`\n# escape=`\nFROM a\n"),
             Contains("line 2: only one escape parser directive can be used"));
  CHECK_THAT(parse_error("# syntax=a\n# check=nope=1\nFROM a\n"),
             Contains("line 2: failed to parse check options: invalid check option \"nope\""));
}

TEST_CASE("a directive's value of blanks is one of them") {
  for (const auto* text : {"# escape= \nFROM a\n", "# escape=  \nFROM a\n"}) {
    CHECK_THAT(parse_error(text), Contains("line 1: invalid escape token ' ' does not match"));
  }
  CHECK(parse("# check= \n# escape=`\nFROM a\n").escape == '`');
  CHECK(parse("# escape=\n# escape=`\nFROM a\n").escape == '\\');
  CHECK(parse("# escape\v=`\nFROM a\n").escape == '\\');
  CHECK_THAT(parse_error("# escape=`\v\nFROM a\n"), Contains("invalid escape token"));
}

TEST_CASE("an escape with nothing behind it is no instruction") {
  for (const auto* text : {"FROM a\n\\", "FROM a\n\\\n\n\n", "FROM a\n  \\ \n# c\n"}) {
    CHECK_THAT(parse_error(text), Contains("line 2: unknown instruction: "));
  }
}

TEST_CASE("a file without stages says why") {
  CHECK_THAT(parse_error(""), Contains("the Dockerfile cannot be empty"));
  CHECK_THAT(parse_error("# only this\n\n"), Contains("file with no instructions"));
  CHECK_THAT(parse_error("ARG a\n"), Contains("dockerfile contains no stages to build"));
  CHECK_THAT(parse_error("ARG a\nRUN x\nRUN y\nFROM b\n"),
             Catch::Matchers::Equals("dockerfile parse error on line 2: no build stage in current context"));
}

TEST_CASE("a line may have 65535 bytes") {
  const auto file = [](std::size_t length) { return "FROM a\nRUN " + std::string(length - 4, 'x') + "\n"; };
  CHECK(parse(file(65535)).stages.size() == 1);
  CHECK_THAT(parse_error(file(65536)), Contains("line 2: dockerfile line greater than max allowed size of 65535"));
}

TEST_CASE("all errors of a file are told and marked") {
  try {
    parse("FROM busybox\n\nFORM x\nENV\nRUN ok\nRUN <<E\n");
    FAIL("nothing was refused");
  } catch (const mbuild::Error& error) {
    CHECK(error.exit_class == mbuild::ExitClass::usage);
    CHECK(error.message ==
          "dockerfile parse error on line 3: unknown instruction: FORM (did you mean FROM?)\n"
          "dockerfile parse error on line 4: ENV requires at least one argument\n"
          "dockerfile parse error on line 6: unterminated heredoc");
    CHECK(error.excerpt ==
          "Dockerfile:3\n--------------------\n"
          "   1 |     FROM busybox\n   2 |     \n   3 | >>> FORM x\n   4 | >>> ENV\n   5 |     RUN ok\n   6 | >>> RUN "
          "<<E\n"
          "--------------------\n");
  }
}

TEST_CASE("a FROM that fails brings no errors about missing stages") {
  CHECK(parse_error("FROM a b\nRUN x\n") ==
        "dockerfile parse error on line 1: FROM requires either one or three arguments");
}

TEST_CASE("the place of an excerpt is told, also after the log of a step") {
  const auto file = parse_dockerfile("FROM a\nRUN echo --------------------\n", "dir:x/Dockerfile");
  const auto place = place_of_excerpt("--------------------\nlog:9\n--------------------\n" + excerpt(file, {2, 2}));
  REQUIRE(place);
  CHECK(place->name == "dir:x/Dockerfile");
  CHECK(place->line == 2);
  CHECK(place_of_excerpt(excerpt(file, {1, 1}))->line == 1);
  CHECK_FALSE(place_of_excerpt(""));
  CHECK_FALSE(place_of_excerpt("--------------------\n"));
  CHECK_FALSE(place_of_excerpt("text\n--------------------\n"));
}

TEST_CASE("an excerpt marks all lines of an instruction") {
  const auto file = parse("FROM a\nRUN x \\\n y\nUSER b\nUSER c\n");
  CHECK(excerpt(file, {2, 3}) ==
        "Dockerfile:2\n--------------------\n   1 |     FROM a\n   2 | >>> RUN x \\\n   3 | >>>  y\n   4 |     USER b\n"
        "--------------------\n");
  CHECK(excerpt(file, {9, 9}).empty());
}

TEST_CASE("an excerpt marks several instructions") {
  const auto file = samples::parse("FROM a\nRUN 2\nRUN 3\nRUN 4\nRUN 5\nRUN 6\nRUN 7\nRUN 8\nRUN 9\n");
  const Range ranges[] = {{9, 9}, {1, 1}, {2, 2}};
  CHECK(excerpt(file, ranges) ==
        "Dockerfile:1\n--------------------\n   1 | >>> FROM a\n   2 | >>> RUN 2\n   3 |     RUN 3\n"
        "   4 |     RUN 4\n  ...\n   7 |     RUN 7\n   8 |     RUN 8\n   9 | >>> RUN 9\n--------------------\n");
}

TEST_CASE("unknown instructions get a suggestion in their own case") {
  CHECK(instruction_error("FNTRYPOINT x") == "unknown instruction: FNTRYPOINT (did you mean ENTRYPOINT?)");
  CHECK(instruction_error("rum x") == "unknown instruction: rum (did you mean run?)");
  CHECK(instruction_error("QUUX") == "unknown instruction: QUUX");
}

TEST_CASE("comments above an instruction are kept") {
  const auto file = parse("FROM a\n# lost\n#\n# one\n\n  # two\nRUN x\nRUN y\n");
  CHECK(file.stages[0].instructions[0].comments == Strings{"one", "# two"});
  CHECK(file.stages[0].instructions[1].comments.empty());
}

TEST_CASE("a check comment above an instruction silences rules for it") {
  const auto file = parse("FROM a\n# x\n# check=skip=A,B // why\nRUN x\n# check=skip=all\nRUN y\nRUN z\n");
  CHECK(file.stages[0].instructions[0].skip == Strings{"A", "B"});
  CHECK(file.stages[0].instructions[1].skip == Strings{"all"});
  CHECK(file.stages[0].instructions[2].skip.empty());
}

TEST_CASE("flags are unquoted and end at a bare --") {
  const auto run = only<RunInstruction>("RUN --mount=type=bind,\"target=/a b\" --network=none -- --x y");
  CHECK(run.mounts == Strings{"type=bind,target=/a b"});
  CHECK(run.network == "none");
  CHECK(run.command.words == Strings{"--x y"});
}

TEST_CASE("bad flags are refused") {
  CHECK(instruction_error("RUN --mont=x y") == "unknown flag: --mont (did you mean mount?)");
  CHECK(instruction_error("COPY --link=maybe a b") == "expecting boolean value for flag --link, not: maybe");
  CHECK(instruction_error("COPY --link= a b") == "missing a value on flag: --link");
  CHECK(instruction_error("COPY --chown a b") == "missing a value on flag: --chown");
  CHECK(instruction_error("COPY --chown=1 --chown=2 a b") == "duplicate flag specified: --chown");
  CHECK(instruction_error("ADD --from=x a b") == "unknown flag: --from");
  CHECK(instruction_error("ENV --x a=b") == "unknown flag: --x");
  CHECK(instruction_error("RUN --network=fake x") == "invalid network mode \"fake\"");
  CHECK(instruction_error("RUN --security=fake x") == "security \"fake\" is not valid");
  CHECK(instruction_error("RUN --mount=from=$x y") ==
        "'from' doesn't support variable expansion, define alias stage instead");
}

TEST_CASE("ARG and STOPSIGNAL do not look at flags") {
  CHECK(only<ArgInstruction>("ARG --x a").args[0].key == "a");
  CHECK(only<StopSignalInstruction>("STOPSIGNAL --x SIGTERM").signal == "SIGTERM");
}

TEST_CASE("JSON arrays of strings are the exec form, everything else is text") {
  const auto command = [](const char* text) { return only<CmdInstruction>(text).command; };
  CHECK(command("CMD [ \"a\", \"\\u0062\\\\\" ] ").words == Strings{"a", "b\\"});
  CHECK(command("CMD []").exec_form);
  CHECK(command("CMD []").words.empty());
  CHECK_FALSE(command("CMD ['a']").exec_form);
  CHECK(command("CMD []random").words == Strings{"[]random"});
  CHECK(command("CMD [\"a\"").words == Strings{"[\"a\""});
  CHECK(command("CMD").words == Strings{""});
  CHECK(instruction_error("CMD [\"a\", 1]") ==
        "when using JSON array syntax, arrays must be comprised of strings only");
}

TEST_CASE("ENV and LABEL keep quotes and know the legacy form") {
  const auto env = only<EnvInstruction>("ENV a=\"b c\" d='e' f=g\\ h i=");
  REQUIRE(env.values.size() == 4);
  CHECK(env.values[0].value == "\"b c\"");
  CHECK(env.values[2].value == "g\\ h");
  CHECK(env.values[3].value == "");
  CHECK_FALSE(env.legacy);
  const auto label = only<LabelInstruction>("LABEL a  \"b\"  c=d ");
  REQUIRE(label.values.size() == 1);
  CHECK(label.legacy);
  CHECK(label.values[0].value == "\"b\"  c=d");
}

TEST_CASE("bad ENV, LABEL and ARG lines are refused") {
  CHECK(instruction_error("ENV") == "ENV requires at least one argument");
  CHECK(instruction_error("ENV a") == "ENV must have two arguments");
  CHECK(instruction_error("LABEL =a") == "LABEL names can not be blank");
  CHECK(instruction_error("ENV a=b c") == "Syntax error - can't find = in \"c\". Must be of the form: name=value");
  CHECK(instruction_error("ARG =a") == "ARG names can not be blank");
  CHECK(instruction_error("ARG") == "ARG requires at least one argument");
}

TEST_CASE("COPY and ADD take sources, destination and flags") {
  const auto copy = only<CopyInstruction>(
      "COPY --from=a --chown=b --chmod=c --link --parents=false --exclude=d --exclude=e x \"y /z");
  CHECK_FALSE(copy.add);
  REQUIRE(copy.sources.size() == 2);
  CHECK(copy.sources[1].path == "\"y");
  CHECK(copy.destination == "/z");
  CHECK(copy.from == "a");
  CHECK(copy.link);
  CHECK_FALSE(copy.parents);
  CHECK(copy.exclude == Strings{"d", "e"});
  const auto add = only<CopyInstruction>("ADD --keep-git-dir --unpack=false --checksum=x [\"a b\", \"/c\"]");
  CHECK(add.add);
  CHECK(add.keep_git_dir == true);
  CHECK(add.unpack == false);
  CHECK(add.sources[0].path == "a b");
  CHECK_THAT(instruction_error("COPY a"), Contains("COPY requires at least two arguments, but only one was provided"));
}

TEST_CASE("instructions of one argument take the rest of the line") {
  CHECK(only<WorkdirInstruction>("WORKDIR  /a b ").path == "/a b");
  CHECK(only<UserInstruction>("USER a:b").user == "a:b");
  CHECK(only<MaintainerInstruction>("MAINTAINER A <b@c>").name == "A <b@c>");
  CHECK(instruction_error("WORKDIR") == "WORKDIR requires exactly one argument");
}

TEST_CASE("SHELL, EXPOSE and VOLUME check their arguments") {
  CHECK(only<ShellInstruction>("SHELL [\"a\", \"-c\"]").words == Strings{"a", "-c"});
  CHECK(instruction_error("SHELL a -c") == "SHELL requires the arguments to be in JSON form");
  CHECK(instruction_error("SHELL []") == "SHELL requires at least one argument");
  CHECK(only<ExposeInstruction>("EXPOSE 80 $X").ports == Strings{"80", "$X"});
  CHECK(only<VolumeInstruction>("VOLUME [\" /a \"]").paths == Strings{"/a"});
  CHECK(instruction_error("VOLUME [\"\"]") == "VOLUME specified can not be an empty string");
}

TEST_CASE("HEALTHCHECK reads durations, retries and its command") {
  const auto check = only<HealthCheckInstruction>(
      "HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=100ms --start-interval=0 --retries=3 CMD [\"a\"]");
  CHECK(check.interval_ns == 90'000'000'000);
  CHECK(check.timeout_ns == 1'500'000'000);
  CHECK(check.start_period_ns == 100'000'000);
  CHECK(check.start_interval_ns == 0);
  CHECK(check.retries == 3);
  CHECK(check.command.exec_form);
  CHECK(only<HealthCheckInstruction>("HEALTHCHECK cmd a  b").command.words == Strings{"a  b"});
  CHECK(only<HealthCheckInstruction>("HEALTHCHECK none").none);
  const auto interval = [](const std::string& text) {
    return only<HealthCheckInstruction>("HEALTHCHECK --interval=" + text + " CMD a").interval_ns;
  };
  CHECK(interval("2562047h47m16.854775807s") == INT64_MAX);
  CHECK(interval("9223372036854775807ns") == INT64_MAX);
  CHECK(interval("1.9999999999s") == 1'999'999'999);
  CHECK(interval("0.3333333333s") == 333'333'333);
}

TEST_CASE("bad health checks are refused") {
  CHECK(instruction_error("HEALTHCHECK") == "HEALTHCHECK requires at least one argument");
  CHECK(instruction_error("HEALTHCHECK NONE x") == "HEALTHCHECK NONE takes no arguments");
  CHECK(instruction_error("HEALTHCHECK CMD") == "Missing command after HEALTHCHECK CMD");
  CHECK(instruction_error("HEALTHCHECK foo") == "Unknown type \"FOO\" in HEALTHCHECK (try CMD)");
  CHECK(instruction_error("HEALTHCHECK --interval=1us CMD x") == "Interval \"interval\" cannot be less than 1ms");
  CHECK(instruction_error("HEALTHCHECK --timeout=5 CMD x") == "missing unit in duration \"5\"");
  CHECK(instruction_error("HEALTHCHECK --timeout=5x CMD x") == "unknown unit \"x\" in duration \"5x\"");
  CHECK(instruction_error("HEALTHCHECK --timeout=1.2.3s CMD x") == "missing unit in duration \"1.2.3s\"");
  for (const auto* text : {"9223372036854775808ns", "2562047h47m16.854775808s", "99999999999999999999ns", ".s"}) {
    INFO(text);
    CHECK_THAT(instruction_error(std::string("HEALTHCHECK --interval=") + text + " CMD a"),
               Contains("invalid duration"));
  }
  CHECK(instruction_error("HEALTHCHECK --retries=-1 CMD x") == "--retries cannot be negative (-1)");
  CHECK_THAT(instruction_error("HEALTHCHECK --retries=x CMD x"), Contains("invalid syntax"));
}

TEST_CASE("ONBUILD keeps its payload and judges its form") {
  CHECK(only<OnBuildInstruction>("onbuild  RUN a \\\n b ").text == "RUN a  b ");
  CHECK(instruction_error("ONBUILD") == "ONBUILD requires at least one argument");
  CHECK(instruction_error("ONBUILD onbuild RUN x") == "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  CHECK(instruction_error("ONBUILD from a") == "FROM isn't allowed as an ONBUILD trigger");
  CHECK(instruction_error("ONBUILD MAINTAINER a") == "MAINTAINER isn't allowed as an ONBUILD trigger");
  CHECK(instruction_error("ONBUILD ENV [\"x\"]") == "ENV must have two arguments");
}

TEST_CASE("a trigger's escape character is the backslash") {
  const auto env = std::get<EnvInstruction>(parse_trigger("ENV a=x\\ y b=`").body);
  REQUIRE(env.values.size() == 2);
  CHECK(env.values[0].value == "x\\ y");
}

TEST_CASE("a trigger is one instruction") {
  CHECK(std::holds_alternative<RunInstruction>(parse_trigger("RUN x").body));
  CHECK_THAT(samples::message_of([] { parse_trigger("RUN x\nRUN y"); }), Contains("a single expression"));
  CHECK_THAT(samples::message_of([] { parse_trigger("NOPE"); }), Contains("unknown instruction: NOPE"));
}

TEST_CASE("stage names are checked") {
  CHECK_THAT(parse_error("FROM a AS 1abc\n"),
             Contains("invalid name for build stage: \"1abc\", name can't start with a "
                      "number or contain symbols"));
  CHECK_THAT(parse_error("FROM\n"), Contains("FROM requires either one or three arguments"));
  CHECK_THAT(parse_error("FROM a foo b\n"), Contains("FROM requires either one or three arguments"));
}
