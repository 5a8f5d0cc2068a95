#include "cli/main.h"

int main(int argc, char** argv) { return mbuild::cli::run(argc, argv); }
