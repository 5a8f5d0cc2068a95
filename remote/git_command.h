#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/subprocess.h"
#include "remote/git.h"

// Runs of the git program in a fixed environment. Private to remote/git.cc.
namespace mbuild::remote {

class GitCommand {
 public:
  // `directory` is where git runs; "" is the current one.
  GitCommand(const frontend::GitRef& source, const GitOptions& options, std::stop_token stop,
             std::string directory = {});

  // git's result, whatever its status.
  SubprocessResult try_run(std::vector<std::string> arguments) const;
  // Standard output without blanks at its end. Throws Error (network) with git's own words.
  std::string run(std::vector<std::string> arguments) const;
  // The same for a command that talks to the remote: repeated when the failure may pass.
  std::string run_remote(const std::vector<std::string>& arguments) const;
  [[noreturn]] void fail(const std::string& command, const SubprocessResult& result) const;

 private:
  const frontend::GitRef& source_;
  const GitOptions& options_;
  std::stop_token stop_;
  std::string directory_;
  std::vector<std::string> environment_;
};

}  // namespace mbuild::remote
