#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "bake/hcl/convert.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/json.h"
#include "bake/hcl/parse.h"

// The JSON form of a definition is read or refused with a message; JSON values survive being written and read again.
namespace {

using namespace mbuild::bake::hcl;

void read_definition(const std::string& text) {
  try {
    const File file =
        parse_json_form("definition.json", text, {{"variable", 1, {{"validation", 0, {}}}}, {"target", 1, {}}});
    for (const Attribute& attribute : file.body.attributes) keyword(*attribute.expression);
  } catch (const Failure& failure) {
    if (failure.message.empty()) std::abort();
  }
}

void read_value(const std::string& text) {
  try {
    const Value value = from_json(text);
    if (!equal(from_json(to_json(value)), value)) std::abort();
  } catch (const ConversionError& error) {
    if (error.message.empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read_definition(text);
  if (text.find_first_of("eE") == std::string::npos) read_value(text);
  return 0;
}
