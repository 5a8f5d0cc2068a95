#include "executor/api/acceleration.h"

#include <fmt/format.h>

#include "base/error.h"

namespace mbuild::executor {

Acceleration parse_acceleration(std::string_view text) {
  if (text == "off") return Acceleration::off;
  if (text == "safe") return Acceleration::safe;
  if (text == "compilers") return Acceleration::compilers;
  if (text == "verify") return Acceleration::verify;
  throw Error(ExitClass::usage, fmt::format("--accel: \"{}\" is none of off, safe, compilers, verify", text));
}

}  // namespace mbuild::executor
