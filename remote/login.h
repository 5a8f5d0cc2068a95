#pragma once

#include <stop_token>
#include <string>

#include "remote/credentials.h"
#include "remote/registry.h"

// Credentials written where docker keeps them, so that both programs know them.
namespace mbuild::remote {

// Throws Error (network) where the registry does not take the credentials.
void check_login(const std::string& host, const Credentials& credentials, const RegistryHosts& hosts,
                 const std::stop_token& stop);

// Where credentials were put: the file, or the helper that the file names for the host.
struct LoginPlace {
  std::string file;    // of the configuration
  std::string helper;  // "docker-credential-NAME"; "": they are in the file
};

// Stores them in `directory`/config.json, which is made where it is missing, or by a helper. Throws Error.
LoginPlace store_login(const std::string& directory, const std::string& host, const Credentials& credentials,
                       const std::stop_token& stop);

// Takes them away; false when there were none. Throws Error.
bool erase_login(const std::string& directory, const std::string& host, const std::stop_token& stop);

}  // namespace mbuild::remote
