#pragma once

namespace mbuild::cli {

// The whole program; returns its exit status.
int run(int argc, char** argv);

}  // namespace mbuild::cli
