#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bake/hcl/diagnostic.h"
#include "bake/hcl/evaluate.h"
#include "bake/hcl/parse.h"

// Whatever the bytes, lexer, parser and evaluator end with values or with a failure that has a place and a message.
namespace {

using namespace mbuild::bake::hcl;

void expect_place(const Failure& failure) {
  const Range& range = failure.diagnostic.range;
  if (failure.message.empty() || !range.source || range.begin > range.end || range.end > range.source->text.size()) {
    std::abort();
  }
}

void read_attribute(const Attribute& attribute, bool evaluated) {
  try {
    traversals(*attribute.expression);
    keyword(*attribute.expression);
    if (evaluated) evaluate(*attribute.expression, {});
    type_expression(*attribute.expression);
  } catch (const Failure& failure) {
    expect_place(failure);
  }
}

void read_body(const Body& body, bool evaluated) {
  for (const Attribute& attribute : body.attributes) read_attribute(attribute, evaluated);
  for (const Block& block : body.blocks) read_body(block.body, evaluated);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // Loops in loops take their time, and functions and exponents make texts of any length: those are only parsed.
  const bool evaluated = text.find_first_of("(eE") == std::string::npos && text.find("for") == std::string::npos;
  try {
    const File file = parse_native("definition.hcl", text);
    read_body(file.body, evaluated);
  } catch (const mbuild::Error& error) {
    if (error.message.empty() || error.exit_class != mbuild::ExitClass::usage) std::abort();
  }
  return 0;
}
