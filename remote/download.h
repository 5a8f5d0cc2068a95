#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "remote/http.h"

// Files from http(s) servers: ADD URL, and remote build contexts.
namespace mbuild::remote {

struct DownloadRequest {
  std::string url;
  int output = -1;                 // a regular file, emptied, then written from its start
  std::vector<std::string> etags;  // known ones: sent as If-None-Match
  std::string last_modified;       // sent as If-Modified-Since when there are no etags
  std::string checksum;            // "sha256:..." or ""
  std::string authorization;       // the value of the Authorization header, or ""
  HttpOptions options;
  // Bytes so far and in all (0 when the server does not say).
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
  std::stop_token stop;
};

struct Download {
  bool not_modified = false;  // 304: `etag` says which of the known ones; `output` is empty
  Digest digest;
  std::uint64_t size = 0;
  std::string etag;
  std::string last_modified;          // as the server wrote it
  std::optional<std::int64_t> mtime;  // the same in seconds since the epoch
  std::string content_type;
  std::string file_name;  // from Content-Disposition, else from the URL's path, else "download"
};

// Throws Error (usage: "unsupported digest algorithm", "invalid checksum digest format"), Error (step_failed: "digest
// mismatch sha256:GOT: sha256:WANTED"), Error (network), Error (store) when `output` can't be written, or Cancelled.
Download download(const DownloadRequest& request);

// The last component of the URL's path, decoded; "" when it has none. ADD calls such a file "__unnamed__".
std::string url_file_name(std::string_view url);
// The file name that a Content-Disposition header gives, without directories; "" when it gives none.
std::string content_disposition_file_name(std::string_view header);

// The Authorization value for a URL from the secrets HTTP_AUTH_HEADER_<host> (taken as it is) or
// HTTP_AUTH_TOKEN_<host> ("Bearer ..."); "" when there is neither.
std::string http_authorization(std::string_view url,
                               const std::function<std::optional<std::string>(const std::string& name)>& secret);

}  // namespace mbuild::remote
