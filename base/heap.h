#pragma once

namespace mbuild {

// Makes malloc fit a program that lives for a second: memory is taken and given back in large steps, and all threads
// share it. To be called before there are threads.
void prepare_heap();

// Has the next 64 MiB of the heap come in pages of 2 MiB, where the kernel gives them. For who is about to fill it with
// much: to be called while there is one thread only.
void use_huge_pages();

}  // namespace mbuild
