#pragma once

#include "executor/api/surroundings.h"
#include "remote/credentials.h"

namespace mbuild::cli {

// What this process has around it.
executor::Surroundings surroundings();

// The credentials for registries of the user of this process.
remote::CredentialSource stored_credentials();

}  // namespace mbuild::cli
