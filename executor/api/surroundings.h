#pragma once

#include <functional>
#include <string>
#include <vector>

namespace mbuild::executor {

// What whoever asks for a build has around it. Nothing of it is looked up by the executor itself: a command line fills
// it in from its own process (cli/config/surroundings.h), a server from what its client sent.
struct Surroundings {
  std::string directory;  // that the user works in, absolute; "" where it can't be told
  // All of the standard input; throws Error (usage) where that is nothing to be read. Empty: there is none.
  std::function<std::string()> read_input;
  std::string output;  // the file that is the standard output; "": there is none
  bool output_is_terminal = false;

  std::string docker_config;  // directory of docker's configuration; "": none
  std::vector<std::string>
      auth_files;           // credentials of podman, skopeo and buildah, in the order in which they are asked
  std::string docker_host;  // address of the Docker engine that is meant; "": the one of this host
};

}  // namespace mbuild::executor
