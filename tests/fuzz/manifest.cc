// Any bytes as a manifest or an index: refused, or the same after being written and read again.
#include "oci/manifest.h"

#include <stdlib.h>

#include "base/error.h"

using namespace mbuild;
using namespace mbuild::image;

namespace {

template <typename Parse, typename Serialise>
void round_trip(std::string_view text, Parse parse, Serialise serialise) {
  std::string bytes;
  try {
    bytes = serialise(parse(text));
  } catch (const Error&) {
    return;
  }
  if (serialise(parse(bytes)) != bytes) ::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip(text, parse_manifest, serialise_manifest);
  round_trip(text, parse_index, serialise_index);
  round_trip(text, parse_descriptor, serialise_descriptor);
  return 0;
}
