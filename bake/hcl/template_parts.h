#pragma once

#include <string>
#include <vector>

#include "bake/hcl/parser.h"
#include "bake/hcl/syntax.h"

// A template as a row of parts, before loops and conditions are put into each other. Inner to the room.
namespace mbuild::bake::hcl {

enum class PartKind { literal, value, if_, else_, endif, for_, endfor };

struct TemplatePart {
  PartKind kind = PartKind::literal;
  Range range;
  std::string text;           // of a literal, escapes decoded; of a heredoc, a line at most
  ExpressionPtr expression;   // value; condition of if; collection of for
  LoopNames names;            // of for
  bool strip_before = false;  // "${~"
  bool strip_after = false;   // "~}"
};

using TemplateParts = std::vector<TemplatePart>;

// What "~" asks for: blanks and newlines are removed from the literal on that side.
void strip_blanks(TemplateParts& parts);
// "<<-": the smallest indentation of all lines is removed from each.
void remove_indentation(TemplateParts& parts);

// Takes "${...}" or "%{...}", which is what the cursor's offset is at.
TemplatePart parse_sequence(Cursor& cursor);
// True for "${" and "%{" at that place.
bool begins_sequence(std::string_view text, std::size_t offset);
// True for "$${" and "%%{", which stand for the sequence's opening as text.
bool begins_escaped_sequence(std::string_view text, std::size_t offset);
// The tree of the parts.
ExpressionPtr build_template(TemplateParts parts, Range range);

}  // namespace mbuild::bake::hcl
