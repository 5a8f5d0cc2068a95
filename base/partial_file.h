#pragma once

#include <string>

#include "base/fd.h"

namespace mbuild {

// A file that comes into being as PATH.<hex>.partial and gets its own name when it is complete: readers of PATH see all
// of it or nothing. Without commit() nothing stays behind. What a killed program leaves is told by the end of its name.
class PartialFile {
 public:
  // Throws Error (store), as commit() does.
  explicit PartialFile(std::string path, unsigned mode = 0666);
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;
  ~PartialFile();

  int fd() const { return fd_.get(); }  // to read and write
  void start_again();                   // with an empty file
  void commit();                        // what had the name is replaced

 private:
  std::string path_, partial_;  // "" after commit()
  Fd fd_;
};

}  // namespace mbuild
