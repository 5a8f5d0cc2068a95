#pragma once

#include <optional>
#include <set>
#include <string>

#include "worker/native/packages.h"

// Compilers: what of gcc and binutils runs on the host and makes code for the emulated platform. A distribution that
// builds its cross compilers from the same source as its own has them in packages of the same name; a pack is a root
// directory of the host's platform with these.
namespace mbuild::executor {

// A program of the emulated platform that a pack may have.
struct CrossProgram {
  std::string name;     // "cc1", "as"
  std::string in_pack;  // its path there
  // cc1 and their like: where they look for what belongs to them; "" for others
  std::string own_directory, pack_directory;
  PackagedFile package;
  std::string pack_package;  // that has the program in the pack
};

// Of the file at a resolved path: nothing where it is none, or is not as its package brought it. `root` is an open
// directory.
std::optional<CrossProgram> cross_program(int root, const std::string& path);

// The plugin of the linker at a resolved path, likewise: the compiler's own for link-time optimisation.
std::optional<CrossProgram> linker_plugin(int root, const std::string& path);

// True where the pack has what was built from the very same source: the version is the same but for the "crossN" that
// Debian appends for cross compilers, and the file is as its package brought it.
bool is_same_source(int pack, const CrossProgram& program);

// The SHA-256, in hex, of the programs that a pack says it was made to replace: lines "replaces SHA256 PATH" of its
// file usr/share/compiler-pack. None where it does not say.
std::set<std::string> replaced_programs(int pack);

// The pack's program with the search paths of the own one compiled in; throws Error where it has others than those that
// are known.
std::string with_own_paths(std::string bytes, const CrossProgram& program);

}  // namespace mbuild::executor
