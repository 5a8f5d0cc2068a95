#include "base/shared_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <utility>

#include "base/error.h"

namespace mbuild {

SharedLibrary::SharedLibrary(const char* file, const std::string& purpose, std::string advice)
    : file_(file), library_(::dlopen(file, RTLD_NOW | RTLD_LOCAL)) {
  if (library_ != nullptr) return;
  throw Error(ExitClass::host, fmt::format("{} is missing, which {}", file, purpose)).with_advice(std::move(advice));
}

void* SharedLibrary::find(const char* name) const {
  void* found = ::dlsym(library_, name);
  if (found == nullptr) throw Error(ExitClass::host, fmt::format("{} is too old: it has no {}", file_, name));
  return found;
}

}  // namespace mbuild
