#pragma once

#include <string>

namespace mbuild {

// What a file has; "" where there is none, or it can't be read: of /proc, of processes that end, of what others own.
std::string try_read_file(const std::string& path);

}  // namespace mbuild
