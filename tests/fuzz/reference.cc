// Any bytes as an image reference: refused as such, or the same after being written and read again.
#include "oci/reference.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"

using namespace mbuild;
using namespace mbuild::frontend;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto reference = with_default_tag(parse_reference(text));
    if (reference.domain.empty() || reference.path.empty()) std::abort();
    if (parse_reference(to_string(reference)) != reference) std::abort();
  } catch (const Error& error) {
    if (error.exit_class != ExitClass::usage || error.advice.empty()) std::abort();
  }
  return 0;
}
