#pragma once

#include "remote/registry_endpoint.h"

// The pushing half of the registry protocol; contracts as in remote/registry.h.
namespace mbuild::remote {

PushedManifest push_manifest(Endpoint& endpoint, const Repository& repository, const std::string& reference,
                             const std::string& media_type, const std::string& bytes, const std::stop_token& stop);
bool mount_blob(Endpoint& endpoint, const Repository& repository, const Digest& digest, const std::string& from_name,
                const std::stop_token& stop);
void push_blob(Endpoint& endpoint, const Repository& repository, const Blob& blob, const HttpUpload& source,
               const std::stop_token& stop);
void push_stream(Endpoint& endpoint, const Repository& repository, const HttpUpload& source,
                 const std::function<Digest()>& digest, const std::stop_token& stop);

}  // namespace mbuild::remote
