#include "frontend/dockerfile/heredoc.h"

#include "tests/unit/frontend/syntax_samples.h"

using namespace mbuild::frontend::dockerfile;
using samples::instruction_error;
using samples::only;

TEST_CASE("heredoc words are recognised") {
  const auto word = parse_heredoc_word("3<<-EOF");
  REQUIRE(word.has_value());
  CHECK(word->fd == "3");
  CHECK(word->name == "EOF");
  CHECK(word->strip_tabs);
  CHECK(word->expand);
  CHECK(parse_heredoc_word("<< EOF").has_value());
  for (const auto* other : {"<<<EOF", "a<<EOF", "<<", "<EOF", "\"<<EOF\"", "<<a b", "<<A<"}) {
    CHECK_FALSE(parse_heredoc_word(other).has_value());
  }
}

TEST_CASE("any quote in the delimiter switches expansion off, a backslash doesn't") {
  CHECK_FALSE(parse_heredoc_word("<<\"EOF\"")->expand);
  CHECK_FALSE(parse_heredoc_word("<<E'O'F")->expand);
  CHECK(parse_heredoc_word("<<E'O'F")->name == "EOF");
  CHECK(parse_heredoc_word("<<E\\OF")->expand);
  CHECK(parse_heredoc_word("<<E\\OF")->name == "EOF");
}

TEST_CASE("a line's heredocs come in order, quoted ones do not count") {
  const auto words = heredoc_words("RUN cat <<A \"<<B\" '<<C' 3<<-D ${X:-y} <<<E");
  REQUIRE(words.size() == 2);
  CHECK(words[0].name == "A");
  CHECK(words[1].name == "D");
  CHECK(heredoc_words("RUN it's <<EOF").empty());
}

TEST_CASE("bodies of several heredocs follow each other") {
  const auto run = only<RunInstruction>("RUN cat <<A <<-B\n1 \\\n# 2\nA\n\t3\n\t\tB");
  REQUIRE(run.command.heredocs.size() == 2);
  CHECK(run.command.words[0] == "cat <<A <<-B");
  CHECK(run.command.heredocs[0].content == "1 \\\n# 2\n");
  CHECK(run.command.heredocs[1].content == "3\n");
  CHECK(run.command.heredocs[1].raw == "\t3\n");
}

TEST_CASE("a body keeps its carriage returns, its terminator may have one") {
  CHECK(only<RunInstruction>("RUN <<A\r\nx\r\nA\r").command.heredocs[0].content == "x\r\n");
}

TEST_CASE("COPY takes heredocs among its sources") {
  const auto copy = only<CopyInstruction>("COPY a <<B \"<<C\" <<'D' /d/\nb\nB\nd\nD");
  REQUIRE(copy.sources.size() == 4);
  CHECK(copy.sources[0].path == "a");
  REQUIRE(copy.sources[1].heredoc.has_value());
  CHECK(copy.sources[1].heredoc->content == "b\n");
  CHECK(copy.sources[1].heredoc->expand);
  CHECK(copy.sources[2].path == "\"<<C\"");
  CHECK(copy.sources[3].heredoc->content == "d\n");
  CHECK_FALSE(copy.sources[3].heredoc->expand);
}

TEST_CASE("in JSON form a heredoc has no body") {
  const auto copy = only<CopyInstruction>("COPY [\"<<EOF\", \"/x\"]");
  REQUIRE(copy.sources[0].heredoc.has_value());
  CHECK(copy.sources[0].heredoc->content.empty());
}

TEST_CASE("other instructions know no heredocs") { CHECK(only<UserInstruction>("USER <<X").user == "<<X"); }

TEST_CASE("the instruction after a heredoc starts anew") {
  const auto file = samples::parse("FROM a\nRUN <<E\nFROM b\nE\nRUN y\n");
  REQUIRE(file.stages.size() == 1);
  CHECK(file.stages[0].instructions[0].range.last == 4);
  CHECK(file.stages[0].instructions[1].range.first == 5);
}

TEST_CASE("unterminated heredocs and heredoc destinations are refused") {
  CHECK(instruction_error("RUN <<E\nx") == "unterminated heredoc");
  CHECK(instruction_error("COPY a <<E\nE") == "COPY cannot accept a heredoc as a destination");
  CHECK(instruction_error("ADD a <<E\nE") == "ADD cannot accept a heredoc as a destination");
}

TEST_CASE("an ONBUILD payload carries its heredocs and can be read again") {
  const auto text = only<OnBuildInstruction>("ONBUILD COPY <<-A <<B /\n\ta\n\tA\nb\nB").text;
  CHECK(text == "COPY <<-A <<B /\n\ta\nA\nb\nB");
  const auto copy = std::get<CopyInstruction>(parse_trigger(text).body);
  CHECK(copy.sources[0].heredoc->content == "a\n");
  CHECK(copy.sources[1].heredoc->content == "b\n");
}
