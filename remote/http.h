#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

// HTTP(S) requests over libcurl, for every other file of this room.
//
// All functions may be called from any thread; a call blocks its thread. Connections are kept alive in a process-wide
// pool. libcurl is initialised by the first request, so that a program that makes none pays nothing.
namespace mbuild::remote {

using Headers = std::vector<std::pair<std::string, std::string>>;

// How to reach a server: the part of a request that comes from configuration.
struct HttpOptions {
  std::string ca_file;                         // PEM certificates to trust; "" takes SSL_CERT_FILE
  std::string client_certificate, client_key;  // PEM; the key may be in the certificate's file
  std::string unix_socket;                     // path: connect there, whatever host the URL names
  bool verify_tls = true;
  std::chrono::milliseconds connect_timeout{20'000};
  std::chrono::seconds stall_timeout{60};        // no byte in either direction for so long
  unsigned attempts = 5;                         // in all, for failures that may pass
  std::chrono::milliseconds first_backoff{250};  // doubled each time, with jitter, at most 10 s
  std::chrono::seconds longest_retry_after{60};  // a server that asks for a longer wait is not waited for
};

// The body of a request, read while it is sent.
struct HttpUpload {
  // Fills `into` and returns the bytes put there, 0 at the end. May block; must itself notice a requested stop.
  std::function<std::size_t(char* into, std::size_t room)> read;
  // Back to the first byte. When empty, the request is not repeated once data was taken.
  std::function<void()> rewind;
  std::optional<std::uint64_t> size;  // unknown: sent chunked
};

// The bytes of a regular file from its start, whatever the descriptor's position; `fd` must outlive the request.
HttpUpload upload_from_file(int fd);
HttpUpload upload_from_string(std::string text);

struct HttpResponse {
  long status = 0;
  Headers headers;                   // of the last response (after redirects), names in lower case
  std::string body;                  // empty when on_data took it
  std::string url;                   // after redirects
  std::vector<std::string> secrets;  // what the request said that no message may repeat

  // The first value of a header (name in lower case), or "".
  std::string_view header(std::string_view name) const;
  bool ok() const { return status >= 200 && status < 300; }
};

// Told before each wait, with what went wrong.
using RetryListener = std::function<void(std::string_view reason, std::chrono::milliseconds wait)>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::optional<HttpUpload> upload;
  HttpOptions options;
  std::vector<std::string> secrets;  // in its URL or content: no message repeats them; Authorization is one anyway
  bool follow_redirects = true;      // Authorization is not sent on to another host
  bool throw_on_error = true;        // statuses 400 and above are thrown; else returned, with the start of their body

  // Where the body of a 2xx response goes. Without on_data: to HttpResponse::body, at most max_body bytes (more is an
  // Error). With it: in pieces, and an interrupted GET goes on where it stopped (Range), or from the first byte after
  // on_restart; without on_restart it fails then. on_response is called once, when the first 2xx response begins.
  std::size_t max_body = std::size_t{16} << 20;
  std::function<void(std::string_view)> on_data;
  std::function<void()> on_restart;
  std::function<void(const HttpResponse&)> on_response;
  // The URL always names the same bytes and the caller checks them: a range needs no ETag to be trusted.
  bool immutable_content = false;

  RetryListener on_retry;
  std::stop_token stop;
};

enum class HttpFailure { status, resolve, connect, tls, untrusted, interrupted, timeout, corrupt, other };

// What http_request throws: an Error (network) that also tells a program what failed.
class HttpError : public Error {
 public:
  HttpError(HttpFailure failure, long status, std::string message, std::string advice_text);

  HttpFailure failure;
  long status;                                           // 0 when no response was had
  bool may_pass = false;                                 // the same request may succeed later
  std::optional<std::chrono::milliseconds> retry_after;  // what the server asked for
};

// Runs `attempt` again, after the waits that http_request makes, while it throws an HttpError that may pass and
// attempts are left: for exchanges of several requests that must start over as a whole.
void with_retries(const HttpOptions& options, const RetryListener& on_retry, const std::stop_token& stop,
                  const std::function<void()>& attempt);

// Sends a request and retries what may pass: lost connections, 408, 429 and 5xx (honouring Retry-After). Throws
// HttpError that names the URL and the server's answer, Cancelled when stop is requested; what a callback throws passes
// through.
HttpResponse http_request(const HttpRequest& request);

// The HttpError for a response that the caller cannot use: its status, the server's own words, and advice.
HttpError http_status_error(std::string_view method, const HttpResponse& response);

// The seconds since the epoch of an HTTP date, if it is one.
std::optional<std::int64_t> parse_http_date(std::string_view text);

}  // namespace mbuild::remote
