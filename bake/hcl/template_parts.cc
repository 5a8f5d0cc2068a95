#include "bake/hcl/template_parts.h"

#include <algorithm>
#include <limits>

#include "bake/hcl/text.h"

namespace mbuild::bake::hcl {

namespace {

bool is_literal(const TemplatePart& part) { return part.kind == PartKind::literal; }

std::size_t indentation(const std::string& line) { return line.size() - trim_left(line).size(); }

// Parts that begin a line. A line of blanks only does not count, and neither does the end of the template.
std::vector<TemplatePart*> line_starts(TemplateParts& parts) {
  std::vector<TemplatePart*> starts;
  bool begins = true;
  for (TemplatePart& part : parts) {
    const bool blank = is_literal(part) && part.text.ends_with('\n') && trim_left(part.text).empty();
    if (begins && !blank) {
      starts.push_back(&part);
    }
    begins = is_literal(part) && part.text.ends_with('\n');
  }
  return starts;
}

}  // namespace

void strip_blanks(TemplateParts& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].strip_before && i > 0 && is_literal(parts[i - 1])) {
      parts[i - 1].text = trim_right(parts[i - 1].text);
    }
    if (parts[i].strip_after && i + 1 < parts.size() && is_literal(parts[i + 1])) {
      parts[i + 1].text = trim_left(parts[i + 1].text);
    }
  }
}

void remove_indentation(TemplateParts& parts) {
  const auto starts = line_starts(parts);
  std::size_t smallest = std::numeric_limits<std::size_t>::max();
  for (const TemplatePart* part : starts) {
    smallest = std::min(smallest, is_literal(*part) ? indentation(part->text) : 0);
  }
  for (TemplatePart* part : starts) {
    if (is_literal(*part)) {
      part->text.erase(0, smallest);
    }
  }
}

}  // namespace mbuild::bake::hcl
