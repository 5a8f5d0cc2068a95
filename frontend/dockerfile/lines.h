#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/dockerfile/heredoc.h"
#include "frontend/dockerfile/syntax.h"

// From the text of a file to its logical lines: comments and parser directives taken out, continued lines joined,
// heredoc bodies attached.
namespace mbuild::frontend::dockerfile {

struct SyntaxError {
  Range range;
  std::string message;
};

struct Directives {
  std::string syntax;  // the whole value
  std::string check;
  int check_line = 0;
  char escape = '\\';
};

// A logical line with the heredocs that follow it.
struct LogicalLine {
  std::string text;
  Range range;  // with the heredoc bodies
  std::vector<std::string> comments;
  std::vector<Heredoc> heredocs;  // with the bodies as found
  bool unterminated = false;      // the file ended inside a heredoc
};

struct Lines {
  Directives directives;
  std::vector<LogicalLine> lines;
  std::vector<Range> empty_continuations;
  std::vector<SyntaxError> errors;
};

// Never throws: what is wrong is in `errors`. Without `directives`, comments are comments (an ONBUILD trigger).
Lines read_lines(std::string_view text, char escape = '\\', bool directives = true);

// The lines of the file for excerpts, without line ends.
std::vector<std::string> source_lines(std::string_view text);

}  // namespace mbuild::frontend::dockerfile
