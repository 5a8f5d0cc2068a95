#pragma once

#include <string>

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
// An agent that is not told more of is this process's own, if it has one.
executor::SshAgent with_own_agent(executor::SshAgent agent);

}  // namespace mbuild::cli
