#pragma once

#include <string>

namespace mbuild {

// A library that is loaded when it is needed, and stays loaded to the end of the program: to link one that brings
// others along, or large tables, makes every start of the program longer.
class SharedLibrary {
 public:
  // `file` as the dynamic loader knows it ("libcurl.so.4"). Throws Error (host) with `advice` where it is missing;
  // `purpose` completes "libcurl.so.4 is missing, which ...".
  SharedLibrary(const char* file, const std::string& purpose, std::string advice);

  // Throws Error (host) where it has no function of that name.
  template <typename Function>
  void load(Function& function, const char* name) const {
    function = reinterpret_cast<Function>(find(name));
  }

 private:
  void* find(const char* name) const;

  const char* file_;
  void* library_;
};

}  // namespace mbuild
