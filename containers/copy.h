#pragma once

#include <stop_token>
#include <string>

#include "containers/shelf.h"
#include "executor/api/build_request.h"

// Files between the host and a container, by docker's rules.
namespace mbuild::containers {

struct CopySource {
  std::string path;  // as it is written: "/." at its end means what is in the directory
  bool is_directory = false;
};

struct CopyTarget {
  std::string path;  // absolute, as it is written: a slash at its end means a directory
  bool exists = false, is_directory = false;
};

struct CopyPlan {
  std::string directory;  // into which is copied
  std::string name;       // what the source is called there; "": what is in it comes there
  bool operator==(const CopyPlan&) const = default;
};

// Where a copy comes. Throws Error (usage), in docker's sense.
CopyPlan plan_copy(const CopySource& source, const CopyTarget& target);

struct CopyOptions {
  bool archive = false;      // owners are kept
  bool follow_link = false;  // what the source's link leads to
  bool alone = false;        // from a container: without what is in its volumes
};

// From a container to a path of the host. "-" as `to` writes a tar to the descriptor `out`.
void copy_from(const executor::SessionRequest& session, const Container& container, const std::string& from,
               const std::string& to, int out, const CopyOptions& options, const std::stop_token& stop);
// From a path of the host to a container. "-" as `from` reads a tar from the descriptor `in`.
void copy_to(const executor::SessionRequest& session, const Container& container, const std::string& from,
             const std::string& to, int in, const CopyOptions& options, const std::stop_token& stop);

}  // namespace mbuild::containers
