#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "executor/api/build_request.h"

// The values of `mbuild build` flags, parsed as `docker buildx build` does. All throw Error (usage).
namespace mbuild::cli {

// "type=oci,dest=FILE,..."; "DIR" is type=local; "-" is a tar on standard output.
executor::Output parse_output(const std::string& text);
// --cache-from, --cache-to: "type=registry,ref=X,mode=max", or a bare reference.
executor::CacheReference parse_cache(const std::string& text, executor::CacheUse use);
// "id=x,src=FILE", "id=x,env=NAME", or "id=x": the variable x if it is set, else the file x.
executor::Secret parse_secret(const std::string& text);
executor::SshAgent parse_ssh(const std::string& text);
// "host:ip", "host=ip", several addresses separated by commas, IPv6 in brackets.
std::vector<std::pair<std::string, std::string>> parse_add_host(const std::string& text);
// "nofile=1024:2048".
graph::Ulimit parse_ulimit(const std::string& text);
// "KEY=VALUE" split at the first '='; `what` names the flag in errors.
std::pair<std::string, std::string> parse_pair(const std::string& text, std::string_view what);

}  // namespace mbuild::cli
