#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "executor/api/build_request.h"
#include "executor/sources/scratch.h"
#include "graph/graph.h"

// Build contexts and Dockerfiles that are addresses. A remote context is fetched once, before the Dockerfile is read,
// into a directory that lives as long as the build, and is a local directory from then on: the Dockerfile and the files
// that it copies are of one commit, and steps are keyed by content as ever.
namespace mbuild::executor {

// True for a git or http(s) address.
bool is_remote(const std::string& context);

struct RemoteContext {
  std::optional<std::int64_t> time;  // commit date, Last-Modified, or the newest file of an archive
  std::string dockerfile;            // name of the file that is the Dockerfile although nobody said so, or ""
};

// Puts the context's files into `directory`, which must exist and be empty. Of an http address, an archive is unpacked;
// any other body is the Dockerfile, and the context that one file. Throws Error (usage, network), Cancelled.
RemoteContext fetch_context(const SessionRequest& session, const TargetRequest& request, const std::string& directory,
                            std::stop_token stop);

// The body of an http(s) address.
std::string fetch_text(const SessionRequest& session, const TargetRequest& request, const std::string& url,
                       const Scratch& scratch, std::stop_token stop);

// The time of a git or http source, for SOURCE_DATE_EPOCH: what RemoteContext::time is. `scratch` is a directory to
// work in.
std::optional<std::int64_t> time_of_source(const SessionRequest& session, const TargetRequest& request,
                                           const graph::SourceOp& source, const Scratch& scratch, std::stop_token stop);

}  // namespace mbuild::executor
