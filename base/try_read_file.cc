#include "base/try_read_file.h"

#include "base/error.h"
#include "base/fd.h"

namespace mbuild {

std::string try_read_file(const std::string& path) {
  try {
    return path_exists(path) ? read_file(path) : "";
  } catch (const Error&) {
    return "";
  }
}

}  // namespace mbuild
