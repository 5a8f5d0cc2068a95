#pragma once

#include <string>

#include "base/fd.h"

// Sockets in directories whose paths may be too long for an address.
namespace mbuild::containers {

// Takes the place of one that was left there. Throws Error (host).
Fd listen_at(const std::string& path);
// Empty where nobody listens.
Fd connect_to(const std::string& path);

}  // namespace mbuild::containers
