#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mbuild::executor {

// How a 64-bit ELF program or library of this host is linked (ELF specification, gabi: Dynamic Linking).
struct Linking {
  std::string interpreter;  // "": none
  std::size_t interpreter_at = 0;
  std::vector<std::string> needed;   // names of libraries
  std::string run_path;              // DT_RUNPATH, else DT_RPATH
  std::vector<std::size_t> path_at;  // of the dynamic entries with one of these
};

// Where a program has the code of a function, in bytes of its file.
struct Code {
  std::size_t at = 0, size = 0;
};

// Nothing where the bytes are no such file of this host, or are damaged.
std::optional<Linking> read_linking(std::string_view bytes);

// The program with another interpreter, whose path is no longer than its own, and without search paths of its own.
std::string relinked(std::string bytes, const Linking& linking, std::string_view interpreter);

// The program with `to` in the place of the constant text `from`, which it reaches by relocated pointers alone; the new
// text stands where a segment's last page is not filled. As it is where it has no such text; nothing where it can't be
// done.
std::optional<std::string> with_text(std::string bytes, std::string_view from, std::string_view to);

// Of a function that the program exports by its name; nothing where it has none.
std::optional<Code> exported_function(std::string_view bytes, std::string_view name);

}  // namespace mbuild::executor
