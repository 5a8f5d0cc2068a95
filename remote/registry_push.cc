#include "remote/registry_push.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "base/strings.h"
#include "remote/url.h"

// A blob is uploaded in a session: POST opens it and answers with its URL; PUT with the digest closes it. A blob whose
// digest is known goes into the PUT itself. One that is still being made goes into PATCH requests before an empty PUT:
// by default one request of unknown length, which every registry takes; in chunks of a fixed size where a proxy in
// front of the registry limits the size of requests. After each request the session may have another URL.
//
// When a connection breaks the session is asked how far it got, and the rest follows. Where it can't say, or has been
// given up, or does not like the end, the upload starts over with a new session.
namespace mbuild::remote {
namespace {

constexpr std::uint64_t k_worth_resuming = 1 << 20;  // a smaller blob is sent again
constexpr std::chrono::seconds k_commit_time{300};   // registries may copy a whole blob before they answer

// The registry has not what was sent: the upload begins again.
struct SessionLost {};

class Upload {
 public:
  Upload(Endpoint& endpoint, const Repository& repository, const std::stop_token& stop)
      : endpoint_(endpoint), repository_(repository), stop_(stop) {
    auto request = to("POST", endpoint.url(repository, "blobs/uploads/"));
    request.options = endpoint.http;
    follow(request, exchange(request));
  }

  // Sends bytes into the session, as one request that is not repeated.
  void patch(const HttpUpload& source, const std::string& range = {}) {
    auto request = to("PATCH", location_);
    request.headers.emplace_back("Content-Type", "application/octet-stream");
    if (!range.empty()) request.headers.emplace_back("Content-Range", range);
    request.upload = source;
    follow(request, exchange(request));
  }

  // The number of bytes that the session has; nothing where the registry can't say or has given the session up, as some
  // do whenever a connection breaks.
  std::optional<std::uint64_t> offset() {
    auto request = to("GET", location_);
    request.options = endpoint_.http;
    const auto response = send(endpoint_, request, push_scope(endpoint_.name(repository_)));
    if (!response.ok()) return std::nullopt;
    follow(request, response);
    const auto range = response.header("range");  // "0-LAST"; "0-0" also where there is nothing yet
    std::uint64_t last = 0;
    const auto dash = range.find('-');
    if (dash != range.npos) std::from_chars(range.data() + dash + 1, range.data() + range.size(), last);
    return last == 0 ? 0 : last + 1;
  }

  // Closes the session, with the whole content as the request's body if there is a source.
  void finish(const Digest& digest, const HttpUpload* source) {
    auto request = to("PUT", with_query(location_, "digest", digest));
    if (source != nullptr) {
      request.headers.emplace_back("Content-Type", "application/octet-stream");
      request.upload = *source;
    }
    const auto response = exchange(request);
    const auto stored = response.header("docker-content-digest");
    if (!is_sha256_digest(stored) || stored == digest) return;
    throw Error(ExitClass::network,
                fmt::format("{}: the registry stored {} instead of {}", repository_.to_string(), stored, digest));
  }

 private:
  HttpRequest to(const char* method, std::string url) const {
    HttpRequest request;
    request.method = method;
    request.url = std::move(url);
    request.options = endpoint_.http;
    request.options.attempts = 1;
    request.options.stall_timeout = std::max(request.options.stall_timeout, k_commit_time);
    request.stop = stop_;
    return request;
  }

  HttpResponse exchange(const HttpRequest& request) {
    auto response = send(endpoint_, request, push_scope(endpoint_.name(repository_)));
    if (response.ok()) return response;
    auto error = registry_error(request, response, repository_);
    if (response.status == 413) error.advice = advice_on_length();
    // A token can end before a stream does, which is then to be read from its start.
    const bool outlived_token = response.status == 401 && request.upload && !request.upload->rewind;
    if (request.method != "POST" && (is_lost(response) || outlived_token)) error.may_pass = true;
    throw error;
  }

  // A session can be lost when another server of the registry takes over; some know it, but not what they have of it.
  static bool is_lost(const HttpResponse& response) {
    return response.status == 404 || response.status == 416 ||
           (response.status == 400 &&
            (has_code(response, "BLOB_UPLOAD_UNKNOWN") || has_code(response, "BLOB_UPLOAD_INVALID") ||
             has_code(response, "RANGE_INVALID")));
  }

  std::string advice_on_length() const {
    const auto where =
        fmt::format("`chunk-size` below [registry.\"{}\"] in mbuild's configuration file", repository_.host);
    if (endpoint_.chunk_size == 0)
      return fmt::format("A bound on the length of requests, often a proxy's: set {}, as \"50MB\".", where);
    return fmt::format("The bound is lower than {} bytes: make {} smaller.", endpoint_.chunk_size, where);
  }

  void follow(const HttpRequest& request, const HttpResponse& response) {
    const auto location = response.header("location");
    if (!location.empty()) location_ = resolve_url(response.url, location);
    if (!location_.empty()) return;
    throw Error(ExitClass::network, fmt::format("{} {}: the registry named no place to upload to", request.method,
                                                printable_url(request.url)));
  }

  Endpoint& endpoint_;
  const Repository& repository_;
  const std::stop_token& stop_;
  std::string location_;
};

void send_chunk(Upload& upload, const Endpoint& endpoint, std::string_view chunk, std::uint64_t start,
                const std::stop_token& stop) {
  std::uint64_t sent = 0;
  bool first = true;
  with_retries(endpoint.http, endpoint.on_retry, stop, [&] {
    if (!std::exchange(first, false)) {
      const auto offset = upload.offset();
      if (!offset || *offset < start || *offset > start + chunk.size()) throw SessionLost();
      sent = *offset - start;
    }
    if (sent == chunk.size()) return;
    const auto rest = chunk.substr(sent);
    upload.patch(upload_from_string(std::string(rest)), fmt::format("{}-{}", start + sent, start + chunk.size() - 1));
  });
}

void send_in_chunks(Upload& upload, const Endpoint& endpoint, const HttpUpload& source, const std::stop_token& stop) {
  std::string chunk(endpoint.chunk_size, '\0');
  for (std::uint64_t start = 0;; start += chunk.size()) {
    std::size_t filled = 0;
    while (filled < chunk.size()) {
      const auto n = source.read(chunk.data() + filled, chunk.size() - filled);
      if (n == 0) break;
      filled += n;
    }
    if (filled > 0) send_chunk(upload, endpoint, std::string_view(chunk).substr(0, filled), start, stop);
    if (filled < chunk.size()) return;
  }
}

// Runs a whole upload, again if it can be repeated.
void repeat(Endpoint& endpoint, const HttpUpload& source, const std::stop_token& stop,
            const std::function<void()>& upload) {
  const auto attempt = [&] {
    try {
      upload();
    } catch (const SessionLost&) {
      throw HttpError(HttpFailure::interrupted, 0, "the registry lost a part of an upload",
                      "Push again: the registry or the network failed, not the build.");
    }
  };
  if (!source.rewind) return attempt();
  bool first = true;
  with_retries(endpoint.http, endpoint.on_retry, stop, [&] {
    if (!std::exchange(first, false)) source.rewind();
    attempt();
  });
}

void skip(const HttpUpload& source, std::uint64_t count) {
  std::string buffer(std::size_t{1} << 20, '\0');
  while (count > 0) {
    const auto n = source.read(buffer.data(), static_cast<std::size_t>(std::min<std::uint64_t>(count, buffer.size())));
    if (n == 0) throw Error(ExitClass::store, "a file became shorter while it was uploaded");
    count -= n;
  }
}

// One request that holds everything; when it breaks off, what the registry has got need not be sent again.
void push_whole(Endpoint& endpoint, const Repository& repository, const Blob& blob, const HttpUpload& source,
                const std::stop_token& stop) {
  std::optional<Upload> upload;
  repeat(endpoint, source, stop, [&] {
    const auto offset = upload && blob.size > k_worth_resuming ? upload->offset().value_or(0) : 0;
    if (offset == 0 || offset > blob.size) {
      upload.emplace(endpoint, repository, stop);
      HttpUpload body = source;
      if (!body.size && blob.size != 0) body.size = blob.size;
      try {
        return upload->finish(blob.digest, &body);
      } catch (const HttpError& error) {
        if (error.status >= 400 && error.status < 500) upload.reset();  // what it has is of no use
        throw;
      }
    }
    try {
      skip(source, offset);
      HttpUpload rest = source;
      rest.size = blob.size - offset;
      if (*rest.size > 0) upload->patch(rest, fmt::format("{}-{}", offset, blob.size - 1));
      upload->finish(blob.digest, nullptr);
    } catch (HttpError& error) {
      if (error.status < 400 || error.status >= 500) throw;
      upload.reset();
      error.may_pass = true;
      throw;
    }
  });
}

}  // namespace

void push_blob(Endpoint& endpoint, const Repository& repository, const Blob& blob, const HttpUpload& source,
               const std::stop_token& stop) {
  if (endpoint.chunk_size == 0 || (blob.size > 0 && blob.size <= endpoint.chunk_size)) {
    return push_whole(endpoint, repository, blob, source, stop);
  }
  push_stream(endpoint, repository, source, [&] { return blob.digest; }, stop);
}

void push_stream(Endpoint& endpoint, const Repository& repository, const HttpUpload& source,
                 const std::function<Digest()>& digest, const std::stop_token& stop) {
  repeat(endpoint, source, stop, [&] {
    Upload upload(endpoint, repository, stop);
    if (endpoint.chunk_size > 0) {
      send_in_chunks(upload, endpoint, source, stop);
    } else {
      HttpUpload body;
      body.read = source.read;
      upload.patch(body);
    }
    upload.finish(digest(), nullptr);
  });
}

bool mount_blob(Endpoint& endpoint, const Repository& repository, const Digest& digest, const std::string& from_name,
                const std::stop_token& stop) {
  HttpRequest request;
  request.method = "POST";
  request.url = with_query(with_query(endpoint.url(repository, "blobs/uploads/"), "mount", digest), "from", from_name);
  request.options = endpoint.http;
  request.stop = stop;
  HttpResponse response;
  try {
    response = send(endpoint, request, push_scope(endpoint.name(repository)) + " " + pull_scope(from_name));
  } catch (const HttpError& error) {
    // The token server may refuse the other repository, and with it both.
    if (error.status == 401 || error.status == 403) return false;
    throw;
  }
  if (response.status == 201) return true;
  if (response.status == 202 && !response.header("location").empty()) {
    // The registry opened an upload instead: close it. That it fails would change nothing.
    HttpRequest cancel;
    cancel.method = "DELETE";
    cancel.url = resolve_url(response.url, response.header("location"));
    cancel.options = endpoint.http;
    cancel.options.attempts = 1;
    cancel.stop = stop;
    try {
      send(endpoint, cancel, push_scope(endpoint.name(repository)));
    } catch (const HttpError&) {
    }
  }
  return false;
}

namespace {

// Whether a manifest in one of OCI's formats was refused for what it is.
bool dislikes_format(const HttpResponse& response, const std::string& media_type) {
  if (media_type.find(".oci.") == std::string::npos) return false;
  if (response.status == 415) return true;
  if (response.status < 400 || response.status >= 500) return false;
  return has_code(response, "MANIFEST_INVALID") || has_code(response, "UNSUPPORTED") ||
         to_lower(response.body).find("media type") != std::string::npos ||
         to_lower(response.body).find("mediatype") != std::string::npos;
}

}  // namespace

PushedManifest push_manifest(Endpoint& endpoint, const Repository& repository, const std::string& reference,
                             const std::string& media_type, const std::string& bytes, const std::stop_token& stop) {
  HttpRequest request;
  request.method = "PUT";
  request.url = endpoint.url(repository, "manifests/" + reference);
  request.headers.emplace_back("Content-Type", media_type);
  request.upload = upload_from_string(bytes);
  request.options = endpoint.http;
  request.options.stall_timeout = std::max(request.options.stall_timeout, k_commit_time);
  request.stop = stop;
  const auto response = send(endpoint, request, push_scope(endpoint.name(repository)));
  if (!response.ok()) {
    auto error = registry_error(request, response, repository);
    if (dislikes_format(response, media_type)) {
      error.advice = fmt::format(
          "{} may know Docker's formats only: `oci-mediatypes=false` of the output makes these, with "
          "`--provenance=false` and gzip.",
          repository.host);
    }
    throw error;
  }
  auto digest = sha256(bytes);
  const auto stored = response.header("docker-content-digest");
  if (is_sha256_digest(stored) && stored != digest) {
    throw Error(ExitClass::network, fmt::format("{}: the registry stored manifest {} instead of {}",
                                                repository.to_string(), stored, digest));
  }
  return {.digest = std::move(digest), .subject_listed = !response.header("oci-subject").empty()};
}

}  // namespace mbuild::remote
