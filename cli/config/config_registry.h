#pragma once

#include <string>

#include "remote/registry.h"

// [registry], what holds for all registries, and [registry."HOST[:PORT]"], what one of them needs beside it.
namespace mbuild::cli {

class Section;

// Names of files are taken relative to the configuration's directory; `path` is the configuration's. Throws Error
// (usage).
void read_registries(Section& section, const std::string& path, remote::RegistryHosts& registries);

}  // namespace mbuild::cli
