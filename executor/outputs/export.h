#pragma once

#include <stop_token>

#include "executor/api/build_request.h"
#include "executor/outputs/environment.h"
#include "remote/registry.h"

namespace mbuild::executor {

// The registries as they are configured, and those that an output with registry.insecure=true pushes to.
remote::RegistryHosts registries_of(const BuildRequest& request);

// Checks what can be checked before anything is built. Throws Error (usage).
void check_outputs(const BuildRequest& request);

// Makes what each of the request's outputs asks for, and fills in the digests and warnings of the result.
void export_images(const ExportEnvironment& environment, std::stop_token stop);

}  // namespace mbuild::executor
