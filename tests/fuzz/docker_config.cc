// Any bytes as docker's config.json: refused as such, or credentials for some host. No helper program is ever found.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "remote/credentials.h"

using namespace mbuild;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ::setenv("PATH", "/nonexistent", 1);
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* host : {"docker.io", "registry.example:5000", "[::1]:5000"}) {
    try {
      remote::find_credentials(text, host);
    } catch (const Error& error) {
      const bool expected = error.exit_class == ExitClass::usage || error.exit_class == ExitClass::host;
      if (!expected || error.advice.empty()) std::abort();
    }
  }
  return 0;
}
