#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "frontend/dockerfile/syntax.h"
#include "graph/graph.h"
#include "oci/image_config.h"
#include "platforms/platform.h"

// From a syntax tree to the build graph, for all platforms of a build.
namespace mbuild::frontend {

struct ImageQuery {
  // A normalised image reference ("docker.io/library/alpine:3.20") or "oci-layout://DIR[:TAG][@DIGEST]".
  std::string reference;
  platforms::Platform platform;
  auto operator<=>(const ImageQuery&) const = default;
};

// Thrown by Request::resolve: which of the images can't be had.
struct ImageUnavailable : Error {
  ImageUnavailable(ImageQuery which, Error error) : Error(std::move(error)), query(std::move(which)) {}
  ImageQuery query;
};

struct ResolvedImage {
  std::string name;    // NAME@MANIFEST-DIGEST
  ImageConfig config;  // with diff ids and history
};

struct LoweredImage;

struct Request {
  dockerfile::Dockerfile dockerfile;
  // Of one of several targets that share a graph:
  std::string label;                                           // its name, for those of steps
  std::uint32_t number = 0;                                    // for NodeInfo
  std::set<std::pair<graph::MountKind, std::string>> own_ids;  // secrets and agents by which others mean something else
  // The directory of a local context. Empty: contexts are told apart by their names.
  std::function<std::string(const std::string& context)> directory_of;
  // The image of another target, whose nodes are in the graph, for a platform. Throws Error where there is none. Empty:
  // there are no others.
  std::function<const LoweredImage&(const std::string& target, const platforms::Platform&)> linked;

  std::string target;                          // "" is the last stage
  std::vector<platforms::Platform> platforms;  // target platforms
  platforms::Platform build_platform;
  std::map<std::string, std::string> build_args;
  std::vector<std::pair<std::string, std::string>> contexts;  // --build-context name=value
  std::vector<std::pair<std::string, std::string>> labels;    // --label
  std::vector<std::string> no_cache_filter;                   // stage names
  bool no_cache = false;
  graph::NetworkMode network = graph::NetworkMode::standard;
  std::vector<std::pair<std::string, std::string>> extra_hosts;
  std::vector<graph::Ulimit> ulimits;
  std::uint64_t shm_size = 0;
  std::string cgroup_parent;
  bool allow_network_host = false, allow_security_insecure = false;
  // The time of the main context where it came from elsewhere, for SOURCE_DATE_EPOCH=context; a directory has none.
  std::optional<std::int64_t> context_time;
  bool multi_platform = false;  // step names carry the platform
  // The platform was not asked for: the image keeps the platform of its base.
  bool implicit_platform = false;

  // Answers a set of queries in one round, in order; throws ImageUnavailable. check() and outline() do without where
  // the answer is empty.
  std::function<std::vector<ResolvedImage>(const std::vector<ImageQuery>&)> resolve;
  // Told what is about to be done that may not be meant. May be empty.
  std::function<void(const std::string& text)> note;
  // The text of a file at the root of a local context ("context" or a named one: ".dockerignore"), if it is there.
  std::function<std::optional<std::string>(const std::string& context, const std::string& path)> read_file;
  // The time of a remote source (commit time, Last-Modified), for SOURCE_DATE_EPOCH=NAME. May be empty.
  std::function<std::optional<std::int64_t>(const graph::SourceOp& source)> source_time;
};

struct LoweredImage {
  platforms::Platform platform;
  std::optional<graph::Ref> root;  // none: no layers at all
  // History entries whose `created` is "" get the time of their layer (non-empty entries and layers correspond in
  // order), or that of the entry before (empty ones).
  ImageConfig config;
  // The base image is of another platform than the image will say: a constant or $BUILDPLATFORM in the last stage's
  // FROM.
  std::optional<dockerfile::Warning> foreign_base;
};

struct Lowered {
  graph::Graph graph;
  std::vector<LoweredImage> images;           // in the order of Request::platforms
  std::vector<dockerfile::Warning> warnings;  // all of parsing and lowering, duplicates merged, in line order
  std::optional<std::int64_t> source_date_epoch;
};

// Lowers the target stage for each platform. Throws Error (usage) with an excerpt; `warnings`, if given, receives what
// was found before that (and the same as Lowered::warnings when all went well).
// `onto` is the graph of the targets before, which the new nodes are added to.
Lowered lower(const Request& request, std::vector<dockerfile::Warning>* warnings = nullptr, graph::Graph onto = {});

struct CheckResult {
  std::vector<dockerfile::Warning> warnings;  // in line order
  std::optional<Error> error;                 // what a build would stop at; "lint violation ..." included
};

// Build checks over the target, or over every stage when there is none. A base image that can't be had (or a missing
// Request::resolve) does not end it: the rules that need no image are still tried.
CheckResult check(const Request& request);

}  // namespace mbuild::frontend
