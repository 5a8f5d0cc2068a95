#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

// Helper programs and places of the tests in this directory.
namespace mbuild::remote::testing {

// A directory of its own that goes with all it holds.
class TestDirectory {
 public:
  TestDirectory();
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory();

  std::string path;
};

// A server program in a process group of its own, which ends with this object.
class TestProcess {
 public:
  // Its output goes to `log`. Waits until 127.0.0.1:port takes connections; throws when that does not happen.
  TestProcess(const std::vector<std::string>& argv, int port, const std::string& log);
  TestProcess(const TestProcess&) = delete;
  TestProcess& operator=(const TestProcess&) = delete;
  ~TestProcess();

 private:
  pid_t pid_ = -1;
};

// A port of 127.0.0.1 that nobody uses at present.
int free_port();

// Sets an environment variable for as long as this object lives.
class ScopedVariable {
 public:
  ScopedVariable(std::string name, const std::string& value);
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;
  ~ScopedVariable();

 private:
  std::string name_, before_;
  bool was_set_;
};

}  // namespace mbuild::remote::testing
