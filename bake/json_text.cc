#include "bake/json_text.h"

namespace mbuild::bake {

std::string shown_json(std::string_view json) {
  std::string text;
  text.reserve(json.size() + 1);
  for (const char c : json) {  // all three stand in strings only
    if (c == '<') {
      text += "\\u003c";
    } else if (c == '>') {
      text += "\\u003e";
    } else if (c == '&') {
      text += "\\u0026";
    } else {
      text += c;
    }
  }
  return text + "\n";
}

}  // namespace mbuild::bake
