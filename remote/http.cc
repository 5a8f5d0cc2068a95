#include "remote/http.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <ctime>
#include <memory>
#include <mutex>
#include <random>

#include "base/strings.h"
#include "remote/http_transfer.h"
#include "remote/secrets.h"
#include "remote/url.h"

// Retries. A failure is repeated when the same request may well succeed later: a connection that broke or stalled, a
// server that answers 408, 429 or 5xx. A download that had begun goes on where it stopped if the server can (Range),
// guarded by If-Range so that bytes of two versions of a file are never joined; when the server sends it all again, the
// receiver starts over. An attempt that moved a good piece of the body counts as the first one again, so that a large
// layer gets through a bad line, while a server that never gets anywhere is given up soon.
namespace mbuild::remote {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t k_progress = 256 << 10;  // bytes that make an attempt count as the first again
constexpr std::size_t k_error_body = 16 << 10;   // bytes kept of an error response
constexpr milliseconds k_longest_backoff{10'000};

// Where the body of the response goes, over all attempts of one request.
class Receiver {
 public:
  explicit Receiver(const HttpRequest& request) : request_(request) {}

  Headers range_headers() const {
    if (!resuming_) return {};
    Headers headers{{"Range", fmt::format("bytes={}-", received_)}};
    if (!validator_.empty()) headers.emplace_back("If-Range", validator_);
    return headers;
  }

  void begin(const HttpResponse& response) {
    body_.clear();
    streaming_ = response.ok() && request_.on_data && request_.method != "HEAD";
    if (!streaming_) return;
    if (response.status == 206 && resuming_) {
      check_range(response);
      return;
    }
    if (received_ > 0) restart();
    validator_ = strong_validator(response);
    if (!announced_ && request_.on_response) request_.on_response(response);
    announced_ = true;
  }

  void data(std::string_view bytes, const HttpResponse& response) {
    if (streaming_) {
      received_ += bytes.size();
      request_.on_data(bytes);
    } else if (!response.ok()) {
      body_ += bytes.substr(0, k_error_body - std::min(k_error_body, body_.size()));
    } else {
      if (body_.size() + bytes.size() > request_.max_body) {
        throw Error(ExitClass::network, fmt::format("{}: the response is longer than {} bytes",
                                                    printable_url(response.url), request_.max_body));
      }
      body_ += bytes;
    }
  }

  // After an interruption: how to go on. False when the next attempt can't.
  bool prepare_retry() {
    if (received_ == 0) return true;
    resuming_ = request_.method == "GET" && (request_.immutable_content || !validator_.empty());
    return resuming_ || request_.on_restart;
  }

  // After 416: the range is not to be had, ask for everything.
  bool drop_range() { return std::exchange(resuming_, false); }

  std::uint64_t received() const { return received_; }
  std::string take_body() { return std::move(body_); }

 private:
  void restart() {
    if (!request_.on_restart) {
      throw HttpError(HttpFailure::interrupted, 0,
                      fmt::format("{} {}: the connection broke and the server cannot go on where it stopped",
                                  request_.method, printable_url(request_.url)),
                      "Try again later: the server or the network failed, not the build.");
    }
    received_ = 0;
    resuming_ = false;
    request_.on_restart();
  }

  void check_range(const HttpResponse& response) {
    const std::string expected = fmt::format("bytes {}-", received_);
    if (response.header("content-range").starts_with(expected)) return;
    throw HttpError(HttpFailure::other, response.status,
                    fmt::format("{} {}: the server sent the wrong range ({})", request_.method,
                                printable_url(request_.url), response.header("content-range")),
                    "The server is at fault, not the build.");
  }

  // An ETag or date that names exactly these bytes (RFC 9110, 13.1.5); weak tags do not.
  static std::string strong_validator(const HttpResponse& response) {
    const auto etag = response.header("etag");
    if (!etag.empty() && !etag.starts_with("W/")) return std::string(etag);
    return "";
  }

  const HttpRequest& request_;
  std::uint64_t received_ = 0;
  std::string validator_;
  std::string body_;
  bool resuming_ = false, streaming_ = false, announced_ = false;
};

bool passing(long status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

bool passing(HttpFailure failure) {
  return failure == HttpFailure::interrupted || failure == HttpFailure::timeout || failure == HttpFailure::connect ||
         failure == HttpFailure::resolve;
}

// The wait that a server asks for, if it does.
std::optional<milliseconds> retry_after(const HttpResponse& response) {
  const auto text = response.header("retry-after");
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (!text.empty() && error == std::errc{} && end == text.data() + text.size()) {
    return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, 1'000'000));
  }
  const auto date = parse_http_date(text);
  if (!date) return std::nullopt;
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return std::chrono::seconds(std::clamp<std::int64_t>(*date - now, 0, 1'000'000));
}

// Exponential, with up to half of it random, so that parallel builds do not come back all at once.
milliseconds backoff(const HttpOptions& options, unsigned attempt) {
  thread_local std::minstd_rand random(std::random_device{}());
  const auto full = std::min(k_longest_backoff, options.first_backoff * (1 << std::min(attempt - 1, 10U)));
  return full / 2 + milliseconds(std::uniform_int_distribution<std::int64_t>(0, full.count() / 2)(random));
}

void wait(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, time, [] { return false; });
  if (stop.stop_requested()) throw Cancelled();
}

std::string_view advice_for(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::resolve:
      return "Check the host name, the network (DNS) and the proxy settings.";
    case HttpFailure::connect:
      return "Check that the server runs and that the network or a proxy lets you reach it.";
    case HttpFailure::tls:
      return "The server does not speak TLS as expected: check the URL's scheme and port.";
    case HttpFailure::untrusted:
      return "The server's certificate is not trusted: name its CA certificates in SSL_CERT_FILE, or as `ca` of the "
             "registry in mbuild's configuration file.";
    default:
      return "Try again later: the server or the network failed, not the build.";
  }
}

std::string_view reason_phrase(long status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 416:
      return "Range Not Satisfiable";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "";
  }
}

std::string advice_for(long status, const std::string& host) {
  if (status == 401 || status == 403) return fmt::format("{} refuses access: check the credentials for it.", host);
  if (status == 404 || status == 410) return fmt::format("Check the URL: {} has nothing there.", host);
  if (status == 429) return fmt::format("{} limits how often it may be asked: log in to it, or try again later.", host);
  if (status >= 500) return fmt::format("{} has a problem, the build does not: try again later.", host);
  return fmt::format("{} does not accept this request.", host);
}

// What the server itself says, on one line; pages for browsers are left out.
std::string own_words(const HttpResponse& response) {
  if (response.header("content-type").find("html") != std::string_view::npos) return "";
  std::string text;
  const std::string body = without_secrets(std::string(trim(response.body)), response.secrets);
  for (const char c : std::string_view(body).substr(0, 300)) text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return text;
}

HttpError transfer_error(const HttpRequest& request, const TransferOutcome& outcome, unsigned attempts) {
  auto message = fmt::format("{} {}: {}", request.method, printable_url(request.url), outcome.reason);
  if (attempts > 1) message += fmt::format(" (after {} attempts)", attempts);
  return HttpError(outcome.failure, 0, std::move(message), std::string(advice_for(outcome.failure)));
}

// The wait before the next attempt; nothing when the server asks for a longer one than is granted.
std::optional<milliseconds> next_wait(const HttpOptions& options, unsigned attempt, std::optional<milliseconds> asked) {
  if (asked && *asked > options.longest_retry_after) return std::nullopt;
  return std::max(backoff(options, attempt), asked.value_or(milliseconds(0)));
}

// A request and its attempts.
class Conversation {
 public:
  explicit Conversation(const HttpRequest& request) : request_(request), receiver_(request) {}

  HttpResponse run() {
    for (;;) {
      ++attempts_;
      const auto before = receiver_.received();
      HttpResponse response;
      const auto outcome = attempt(response);
      if (outcome.complete && !passing(response.status)) {
        if (response.status == 416 && receiver_.drop_range()) continue;
        return finish(std::move(response));
      }
      if (receiver_.received() > before + k_progress) attempts_ = 1;
      if (!try_again(outcome, response)) {
        if (outcome.complete) return finish(std::move(response));
        throw transfer_error(request_, outcome, attempts_);
      }
    }
  }

 private:
  TransferOutcome attempt(HttpResponse& response) {
    TransferEvents events;
    events.on_head = [this](const HttpResponse& head) { receiver_.begin(head); };
    events.on_body = [this, &response](std::string_view bytes) { receiver_.data(bytes, response); };
    return transfer(request_, receiver_.range_headers(), events, response);
  }

  HttpResponse finish(HttpResponse response) {
    response.body = receiver_.take_body();
    if (response.status >= 400) response.secrets = secrets_of(request_.headers, request_.secrets);
    if (response.status >= 400 && request_.throw_on_error) throw http_status_error(request_.method, response);
    return response;
  }

  // Waits before the next attempt; false when there shall be none.
  bool try_again(const TransferOutcome& outcome, const HttpResponse& response) {
    if (attempts_ >= request_.options.attempts) return false;
    if (!outcome.complete && !passing(outcome.failure)) return false;
    if (!outcome.complete && outcome.failure == HttpFailure::resolve && attempts_ >= 3) return false;
    if (outcome.upload_started && !request_.upload->rewind) return false;
    if (!outcome.complete && !receiver_.prepare_retry()) return false;
    const auto time = next_wait(request_.options, attempts_, outcome.complete ? retry_after(response) : std::nullopt);
    if (!time) return false;
    if (request_.on_retry) request_.on_retry(retry_reason(outcome, response), *time);
    wait(*time, request_.stop);
    if (outcome.upload_started) request_.upload->rewind();
    return true;
  }

  std::string retry_reason(const TransferOutcome& outcome, const HttpResponse& response) const {
    const auto url = printable_url(request_.url);
    return outcome.complete ? fmt::format("{}: status {}", url, response.status) : url + ": " + outcome.reason;
  }

  const HttpRequest& request_;
  Receiver receiver_;
  unsigned attempts_ = 0;
};

}  // namespace

HttpError::HttpError(HttpFailure failure, long status, std::string message, std::string advice_text)
    : Error(ExitClass::network, std::move(message)),
      failure(failure),
      status(status),
      may_pass(status != 0 ? passing(status) : passing(failure)) {
  advice = std::move(advice_text);
}

std::string_view HttpResponse::header(std::string_view name) const {
  const auto it = std::find_if(headers.begin(), headers.end(), [&](const auto& pair) { return pair.first == name; });
  return it != headers.end() ? std::string_view(it->second) : std::string_view();
}

HttpResponse http_request(const HttpRequest& request) { return Conversation(request).run(); }

void with_retries(const HttpOptions& options, const RetryListener& on_retry, const std::stop_token& stop,
                  const std::function<void()>& attempt) {
  for (unsigned attempts = 1;; ++attempts) {
    try {
      return attempt();
    } catch (const HttpError& error) {
      const auto time = next_wait(options, attempts, error.retry_after);
      if (!error.may_pass || attempts >= options.attempts || !time) throw;
      if (on_retry) on_retry(error.what(), *time);
      wait(*time, stop);
    }
  }
}

HttpError http_status_error(std::string_view method, const HttpResponse& response) {
  const auto url = parse_url(response.url);
  auto message = fmt::format("{} {}: the server answered {}", method, printable_url(response.url), response.status);
  if (const auto phrase = reason_phrase(response.status); !phrase.empty()) message += fmt::format(" {}", phrase);
  if (const auto words = own_words(response); !words.empty()) message += ": " + words;
  message = without_secrets(std::move(message), response.secrets);  // a redirect may carry them, too
  HttpError error(HttpFailure::status, response.status, std::move(message),
                  advice_for(response.status, url ? url->authority() : "the server"));
  error.retry_after = retry_after(response);
  return error;
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  const std::string date(trim(text));
  // RFC 9110, 5.6.7: the format in use and two old ones.
  for (const char* format : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    std::tm parts{};
    const char* end = ::strptime(date.c_str(), format, &parts);
    if (end != nullptr && *end == '\0') return ::timegm(&parts);
  }
  return std::nullopt;
}

HttpUpload upload_from_file(int fd) {
  struct stat status;
  if (::fstat(fd, &status) < 0) throw system_error(errno, "stat of a file to upload");
  auto offset = std::make_shared<off_t>(0);
  HttpUpload upload;
  upload.size = static_cast<std::uint64_t>(status.st_size);
  upload.rewind = [offset] { *offset = 0; };
  upload.read = [offset, fd](char* into, std::size_t room) {
    ssize_t n;
    do {
      n = ::pread(fd, into, room, *offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0) throw system_error(errno, "read of a file to upload");
    *offset += n;
    return static_cast<std::size_t>(n);
  };
  return upload;
}

HttpUpload upload_from_string(std::string text) {
  auto offset = std::make_shared<std::size_t>(0);
  HttpUpload upload;
  upload.size = text.size();
  upload.rewind = [offset] { *offset = 0; };
  upload.read = [offset, text = std::move(text)](char* into, std::size_t room) {
    const auto n = text.copy(into, room, *offset);
    *offset += n;
    return n;
  };
  return upload;
}

}  // namespace mbuild::remote
