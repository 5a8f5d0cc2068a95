#pragma once

#include <span>
#include <stop_token>

#include "executor/api/build_request.h"
#include "executor/outputs/environment.h"
#include "remote/registry.h"

namespace mbuild::executor {

// The registries as they are configured, and those that an output with registry.insecure=true pushes to.
remote::RegistryHosts registries_of(const SessionRequest& session, std::span<const TargetRequest> targets);

// Checks what can be checked before anything is built. Throws Error (usage).
void check_outputs(const Surroundings& surroundings, std::span<const TargetRequest> targets);

// Makes what each of the request's outputs asks for, and fills in the digests and warnings of the result.
void export_images(const ExportEnvironment& environment, std::stop_token stop);

}  // namespace mbuild::executor
