#pragma once

#include <functional>
#include <string>

namespace mbuild::executor {

// Makes, when it is first called, a directory that lives as long as the build; its path.
using Scratch = std::function<std::string()>;

}  // namespace mbuild::executor
