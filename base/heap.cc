#include "base/heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// What costs is not malloc but memory that is touched for the first time: each page of 4 KiB is a fault, and in a
// virtual machine, whose host may have taken the page back, a dear one. A list of ten thousand files is thousands of
// them. So the heap is laid out at once, and the kernel is asked for huge pages there. Nothing is used before it is
// touched, and where the kernel declines (it may have huge pages switched off) all is as before.
//
// Only who is about to fill it asks for that. What is forked for each step from a process with huge pages would break
// up each that it writes to.
namespace mbuild {
namespace {

constexpr std::size_t k_huge_page = std::size_t{2} << 20;
constexpr std::size_t k_heap_bytes = std::size_t{64} << 20;
constexpr int k_step_bytes = 1 << 20;
constexpr int k_own_mapping_bytes = 16 << 20;

}  // namespace

void prepare_heap() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TOP_PAD, k_step_bytes);
  ::mallopt(M_TRIM_THRESHOLD, static_cast<int>(2 * k_heap_bytes));
  ::mallopt(M_MMAP_THRESHOLD, k_own_mapping_bytes);
}

void use_huge_pages() {
  const auto before = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  ::mallopt(M_TOP_PAD, static_cast<int>(k_heap_bytes));
  void* volatile more = std::malloc(2 * k_step_bytes);  // than there is: the heap grows by this and the padding
  std::free(more);
  ::mallopt(M_TOP_PAD, k_step_bytes);
  const auto after = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  const std::uintptr_t start = (before + k_huge_page - 1) / k_huge_page * k_huge_page;
  if (start >= after) return;  // another allocator, as that of a sanitizer
  ::madvise(reinterpret_cast<void*>(start), after - start, MADV_HUGEPAGE);
}

}  // namespace mbuild
