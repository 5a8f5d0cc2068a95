#pragma once

#include "bake/target.h"

// What --push and --load make of the outputs that a target has.
namespace mbuild::bake {

// True: images are pushed, and an output that does so is added where there is none or only Docker's. False: none is.
void set_push(bool push, Entries& outputs);
// Adds the container engine's image, unless it is there or an output is of files.
void add_load(Entries& outputs);

}  // namespace mbuild::bake
