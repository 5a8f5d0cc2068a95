#pragma once

#include <sys/stat.h>

namespace mbuild::executor {

// Copies the content of `in`, whose status is given, to the empty file `out`: by reflink or inside the kernel where it
// can be, holes kept. Throws Error (store). When the file shrinks meanwhile the copy is short; who cares compares the
// status before and after.
void copy_data(int in, int out, const struct stat& status);

}  // namespace mbuild::executor
