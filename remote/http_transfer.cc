#include "remote/http_transfer.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/host_variable.h"
#include "base/shared_library.h"
#include "base/strings.h"
#include "remote/url.h"

// Each transfer borrows a session: a curl multi handle, which owns live connections, and an easy handle to run in it. A
// multi handle is used even for one transfer because its wait can be woken from another thread (curl_multi_wakeup), so
// that a requested stop ends a transfer at once and not after a timeout. Sessions go back to a pool and are handed out
// by preference to the next request for the same server, whatever thread makes it: that is the keep-alive. libcurl's
// own sharing of connections between threads is not thread-safe in the versions that distributions ship.
namespace mbuild::remote {
namespace {

// The functions of libcurl that are used here. The library is loaded by the first request and not linked: with the
// thirty libraries that it brings along it would make every start of the program 5 ms longer (see the speed budget).
struct Curl {
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_multi_init) multi_init;
  decltype(&curl_multi_cleanup) multi_cleanup;
  decltype(&curl_multi_add_handle) multi_add_handle;
  decltype(&curl_multi_remove_handle) multi_remove_handle;
  decltype(&curl_multi_perform) multi_perform;
  decltype(&curl_multi_poll) multi_poll;
  decltype(&curl_multi_wakeup) multi_wakeup;
  decltype(&curl_multi_info_read) multi_info_read;
  decltype(&curl_multi_strerror) multi_strerror;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;

  Curl() {
    const SharedLibrary library("libcurl.so.4", "all network access needs",
                                "Install libcurl (on Debian and Ubuntu the package libcurl4).");
    const auto load = [&](auto& function, const char* name) { library.load(function, name); };
    decltype(&curl_global_init) global_init;
    load(global_init, "curl_global_init");
    load(easy_init, "curl_easy_init");
    load(easy_cleanup, "curl_easy_cleanup");
    load(easy_reset, "curl_easy_reset");
    load(easy_setopt, "curl_easy_setopt");
    load(easy_getinfo, "curl_easy_getinfo");
    load(easy_strerror, "curl_easy_strerror");
    load(multi_init, "curl_multi_init");
    load(multi_cleanup, "curl_multi_cleanup");
    load(multi_add_handle, "curl_multi_add_handle");
    load(multi_remove_handle, "curl_multi_remove_handle");
    load(multi_perform, "curl_multi_perform");
    load(multi_poll, "curl_multi_poll");
    load(multi_wakeup, "curl_multi_wakeup");
    load(multi_info_read, "curl_multi_info_read");
    load(multi_strerror, "curl_multi_strerror");
    load(slist_append, "curl_slist_append");
    load(slist_free_all, "curl_slist_free_all");
    global_init(CURL_GLOBAL_DEFAULT);
  }
};

const Curl& curl() {
  static const Curl k_library;
  return k_library;
}

template <typename Value>
void setopt(CURL* easy, CURLoption option, Value value) {
  curl().easy_setopt(easy, option, value);
}

struct Session {
  CURLM* multi = curl().multi_init();
  CURL* easy = curl().easy_init();
  std::string origin;

  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    curl().easy_cleanup(easy);
    curl().multi_cleanup(multi);
  }
};

class SessionPool {
 public:
  static SessionPool& instance() {
    static SessionPool pool;
    return pool;
  }

  std::unique_ptr<Session> take(const std::string& origin) {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Session>();
    auto chosen = idle_.end() - 1;
    for (auto it = idle_.begin(); it != idle_.end(); ++it) {
      if ((*it)->origin == origin) chosen = it;
    }
    if ((*chosen)->origin != origin && idle_.size() < k_most_idle) return std::make_unique<Session>();
    auto session = std::move(*chosen);
    idle_.erase(chosen);
    return session;
  }

  void give_back(std::unique_ptr<Session> session, std::string origin) {
    session->origin = std::move(origin);
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(session));
    if (idle_.size() > k_most_idle) idle_.erase(idle_.begin());
  }

 private:
  static constexpr std::size_t k_most_idle = 16;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Session>> idle_;
};

// What libcurl's callbacks work on.
struct Exchange {
  const HttpRequest& request;
  const TransferEvents& events;
  HttpResponse& response;
  CURL* easy = nullptr;
  bool head_complete = false;  // of the last response
  bool head_seen = false;
  bool upload_started = false;
  std::exception_ptr thrown{};
  std::array<char, CURL_ERROR_SIZE> reason{};

  void begin_body() {
    if (std::exchange(head_seen, true)) return;
    const char* url = nullptr;
    curl().easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    response.url = url != nullptr ? url : request.url;
    events.on_head(response);
  }
};

// Runs what may throw inside a C callback; false when it threw.
template <typename Function>
bool guarded(Exchange& exchange, Function function) {
  try {
    function();
    return true;
  } catch (...) {
    exchange.thrown = std::current_exception();
    return false;
  }
}

void take_header_line(HttpResponse& response, std::string_view line) {
  if (line.starts_with("HTTP/")) {  // a new head: after 1xx, a redirect, a proxy's answer
    const auto blank = line.find(' ');
    response.status = blank == std::string_view::npos ? 0 : std::atol(std::string(line.substr(blank)).c_str());
    response.headers.clear();
    return;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  response.headers.emplace_back(to_lower(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1))));
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  const std::string_view line(data, size);
  exchange.head_complete = line == "\r\n" || line == "\n";
  const bool fine = guarded(exchange, [&] { take_header_line(exchange.response, line); });
  return fine ? size : 0;
}

std::size_t on_write(char* data, std::size_t, std::size_t size, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  const bool fine = guarded(exchange, [&] {
    exchange.begin_body();
    exchange.events.on_body(std::string_view(data, size));
  });
  return fine ? size : CURL_WRITEFUNC_ERROR;
}

std::size_t on_read(char* into, std::size_t, std::size_t room, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  std::size_t n = 0;
  exchange.upload_started = true;
  return guarded(exchange, [&] { n = exchange.request.upload->read(into, room); }) ? n : CURL_READFUNC_ABORT;
}

// libcurl rewinds an upload after a redirect, and when a kept-alive connection turns out dead. The second is refused:
// part of the body may have had its effect, and whether to repeat it is for the caller to say.
int on_seek(void* context, curl_off_t offset, int origin) {
  auto& exchange = *static_cast<Exchange*>(context);
  const auto& rewind = exchange.request.upload->rewind;
  const bool redirected = exchange.response.status >= 300 && exchange.response.status < 400;
  if (offset != 0 || origin != SEEK_SET || !rewind || !redirected) return CURL_SEEKFUNC_FAIL;
  return guarded(exchange, [&] { rewind(); }) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

struct FreeList {
  void operator()(curl_slist* list) const { curl().slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

void append(HeaderList& list, const std::string& line) {
  curl_slist* longer = curl().slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  static_cast<void>(list.release());
  list.reset(longer);
}

HeaderList header_list(const HttpRequest& request, const Headers& more) {
  HeaderList list;
  bool typed = false;
  for (const auto* headers : {&request.headers, &more}) {
    for (const auto& [name, value] : *headers) {
      // A line break would let a value from a Dockerfile or a server add headers of its own.
      if ((name + value).find_first_of("\r\n") != std::string::npos) {
        throw Error(ExitClass::usage, fmt::format("the value of HTTP header {} contains a line break", name));
      }
      append(list, value.empty() ? name + ";" : name + ": " + value);
      typed = typed || iequals(name, "content-type");
    }
  }
  append(list, "Expect:");  // no round trip to ask for leave
  if (!typed) append(list, "Content-Type:");
  return list;
}

void set_method(CURL* easy, const HttpRequest& request, Exchange& exchange) {
  if (request.method == "HEAD") {
    setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.upload) {
    setopt(easy, CURLOPT_UPLOAD, 1L);
    setopt(easy, CURLOPT_READFUNCTION, on_read);
    setopt(easy, CURLOPT_READDATA, &exchange);
    setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    setopt(easy, CURLOPT_SEEKDATA, &exchange);
    setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
    if (request.upload->size) {
      setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(*request.upload->size));
    }
    setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (request.method != "GET") {
    setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
    setopt(easy, CURLOPT_POSTFIELDS, "");
    setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

// libcurl reads http_proxy, https_proxy, all_proxy and no_proxy. Two rules of other container tools are added: the
// upper-case HTTP_PROXY counts too, and this host itself is never asked for through a proxy.
void set_proxy(CURL* easy, const Url& url) {
  if (is_loopback(url.host)) {
    setopt(easy, CURLOPT_PROXY, "");
  } else if (url.scheme == "http" && !host_variable("http_proxy")) {
    if (const auto proxy = host_variable("HTTP_PROXY")) setopt(easy, CURLOPT_PROXY, proxy->c_str());
  }
}

void set_tls(CURL* easy, const HttpOptions& options) {
  const std::string from_environment = host_variable("SSL_CERT_FILE").value_or("");
  if (!options.ca_file.empty()) {
    setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  } else if (!from_environment.empty()) {
    setopt(easy, CURLOPT_CAINFO, from_environment.c_str());
  }
  if (!options.client_certificate.empty()) {
    setopt(easy, CURLOPT_SSLCERT, options.client_certificate.c_str());
    setopt(easy, CURLOPT_SSLKEY,
           (options.client_key.empty() ? options.client_certificate : options.client_key).c_str());
  }
  if (options.verify_tls) return;
  setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
  setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
}

void set_options(CURL* easy, const HttpRequest& request, const Url& url, const HeaderList& headers,
                 Exchange& exchange) {
  const HttpOptions& options = request.options;
  setopt(easy, CURLOPT_URL, request.url.c_str());
  if (!options.unix_socket.empty()) setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options.unix_socket.c_str());
  setopt(easy, CURLOPT_NOSIGNAL, 1L);
  setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  setopt(easy, CURLOPT_FOLLOWLOCATION, request.follow_redirects ? 1L : 0L);
  setopt(easy, CURLOPT_MAXREDIRS, 10L);
  setopt(easy, CURLOPT_POSTREDIR, static_cast<long>(CURL_REDIR_POST_ALL));
  setopt(easy, CURLOPT_USERAGENT, "mbuild");
  setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
  setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_timeout.count()));
  setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  setopt(easy, CURLOPT_ERRORBUFFER, exchange.reason.data());
  setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  setopt(easy, CURLOPT_HEADERDATA, &exchange);
  setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
  setopt(easy, CURLOPT_WRITEDATA, &exchange);
  set_method(easy, request, exchange);
  set_proxy(easy, url);
  set_tls(easy, options);
}

HttpFailure classify(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return HttpFailure::resolve;
    case CURLE_COULDNT_CONNECT:
      return HttpFailure::connect;
    case CURLE_SSL_CONNECT_ERROR:
      return HttpFailure::tls;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return HttpFailure::untrusted;
    case CURLE_OPERATION_TIMEDOUT:
      return HttpFailure::timeout;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return HttpFailure::interrupted;
    default:
      return HttpFailure::other;
  }
}

// Runs the session's easy handle to its end.
CURLcode perform(Session& session, const std::stop_token& stop) {
  const std::stop_callback wake(stop, [multi = session.multi] { curl().multi_wakeup(multi); });
  for (;;) {
    if (stop.stop_requested()) throw Cancelled();
    int running = 0;
    if (const auto code = curl().multi_perform(session.multi, &running); code != CURLM_OK) {
      throw Error(ExitClass::internal, fmt::format("libcurl: {}", curl().multi_strerror(code)));
    }
    int queued = 0;
    while (const CURLMsg* message = curl().multi_info_read(session.multi, &queued)) {
      if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    if (running == 0) return CURLE_FAILED_INIT;
    curl().multi_poll(session.multi, nullptr, 0, 1000, nullptr);
  }
}

struct Attached {
  Session& session;
  explicit Attached(Session& s) : session(s) { curl().multi_add_handle(session.multi, session.easy); }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;
  ~Attached() {
    curl().multi_remove_handle(session.multi, session.easy);
    curl().easy_reset(session.easy);
  }
};

// A server may refuse a body before it has all of it, and close: what it said counts.
bool was_refused(const Exchange& exchange, CURLcode code) {
  return exchange.response.status >= 400 && exchange.upload_started && exchange.head_complete &&
         (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_PARTIAL_FILE);
}

}  // namespace

TransferOutcome transfer(const HttpRequest& request, const Headers& more_headers, const TransferEvents& events,
                         HttpResponse& response) {
  const auto url = parse_url(request.url);
  if (!url || (url->scheme != "http" && url->scheme != "https") || url->host.empty()) {
    throw Error(ExitClass::usage, fmt::format("not an http or https URL: {}", printable_url(request.url)));
  }
  const std::string origin = url->scheme + "://" + url->authority();
  SessionPool& pool = SessionPool::instance();
  auto session = pool.take(origin);
  const HeaderList headers = header_list(request, more_headers);
  Exchange exchange{request, events, response, session->easy};
  set_options(session->easy, request, *url, headers, exchange);
  CURLcode code;
  {
    const Attached attached(*session);
    code = perform(*session, request.stop);
    if (was_refused(exchange, code)) code = CURLE_OK;
    if (code == CURLE_OK) guarded(exchange, [&] { exchange.begin_body(); });
  }
  pool.give_back(std::move(session), origin);
  if (exchange.thrown) std::rethrow_exception(exchange.thrown);

  TransferOutcome outcome;
  outcome.complete = code == CURLE_OK;
  outcome.upload_started = exchange.upload_started;
  if (outcome.complete) return outcome;
  outcome.failure = classify(code);
  outcome.reason = exchange.reason[0] != '\0' ? exchange.reason.data() : curl().easy_strerror(code);
  return outcome;
}

}  // namespace mbuild::remote
