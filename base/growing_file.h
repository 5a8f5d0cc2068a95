#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>

#include "base/fd.h"

namespace mbuild::executor {

// A file that somebody appends to, read by one who follows. Its name may change meanwhile. Thread-safe.
class GrowingFile {
 public:
  explicit GrowingFile(const std::string& path);

  // By the one who writes, or knows of it: nothing more comes.
  void complete();
  // Nobody needs it: whoever reads is woken.
  void abandon();

  std::uint64_t size() const;
  // Waits until the file is longer than `count`; false when it is complete and is not, or is abandoned.
  bool wait_for(std::uint64_t count);
  // Reads what follows `offset`, as soon as there is something; 0 at the end. Throws Cancelled when it is abandoned.
  std::size_t read(char* into, std::size_t room, std::uint64_t offset);

 private:
  const Fd file_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool complete_ = false, abandoned_ = false;
};

}  // namespace mbuild::executor
