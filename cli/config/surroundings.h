#pragma once

#include <string>
#include <vector>

#include "executor/api/surroundings.h"
#include "remote/credentials.h"

namespace mbuild::cli {

// What this process has around it.
executor::Surroundings surroundings();
// The words of its command line, its name first.
std::vector<std::string> typed_words();

// The credentials for registries of the user of this process.
remote::CredentialSource stored_credentials();

}  // namespace mbuild::cli
