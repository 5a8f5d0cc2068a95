#include "remote/download.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/error.h"
#include "base/fd.h"
#include "base/percent_decode.h"
#include "base/strings.h"
#include "remote/url.h"

namespace mbuild::remote {
namespace {

void check_checksum(const std::string& checksum) {
  const auto colon = checksum.find(':');
  if (colon != std::string::npos && checksum.substr(0, colon) != "sha256") {
    throw Error(ExitClass::usage, "unsupported digest algorithm: " + checksum.substr(0, colon))
        .with_advice("Give the checksum as sha256:<64 hex digits>.");
  }
  if (!is_sha256_digest(checksum)) {
    throw Error(ExitClass::usage, fmt::format("invalid checksum digest format: \"{}\"", checksum))
        .with_advice("Give the checksum as sha256:<64 hex digits>.");
  }
}

void empty_file(int fd) {
  if (::ftruncate(fd, 0) < 0) throw system_error(errno, "empty a file to download to");
  if (::lseek(fd, 0, SEEK_SET) < 0) throw system_error(errno, "seek in a file to download to");
}

// What came so far, in the file and in the hash.
struct Sink {
  const DownloadRequest& request;
  Sha256 hash;
  std::uint64_t done = 0, total = 0;

  void restart() {
    empty_file(request.output);
    hash = Sha256();
    done = 0;
  }

  void data(std::string_view bytes) {
    write_all(request.output, bytes);
    hash.update(bytes);
    done += bytes.size();
    if (request.progress) request.progress(done, total);
  }
};

HttpRequest http_request_for(const DownloadRequest& request) {
  HttpRequest http;
  http.url = request.url.substr(0, request.url.find('#'));
  http.options = request.options;
  http.stop = request.stop;
  if (!request.authorization.empty()) http.headers.emplace_back("Authorization", request.authorization);
  if (!request.etags.empty()) {
    http.headers.emplace_back("If-None-Match", join(request.etags, ", "));
  } else if (!request.last_modified.empty()) {
    http.headers.emplace_back("If-Modified-Since", request.last_modified);
  }
  return http;
}

std::uint64_t content_length(const HttpResponse& response) {
  const auto text = response.header("content-length");
  std::uint64_t length = 0;
  std::from_chars(text.data(), text.data() + text.size(), length);
  return length;
}

std::string chosen_file_name(const DownloadRequest& request, const HttpResponse& response) {
  if (auto name = content_disposition_file_name(response.header("content-disposition")); !name.empty()) return name;
  if (auto name = url_file_name(request.url); !name.empty()) return name;
  return "download";
}

// A name without directories; "" for those that are none.
std::string plain_name(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string_view::npos) return "";
  return std::string(name);
}

// The value of a header parameter that starts `text`, quoted or not; moves past it.
std::string take_parameter_value(std::string_view& text) {
  std::string value;
  if (!text.starts_with('"')) {
    const auto end = std::min(text.find(';'), text.size());
    value = trim(text.substr(0, end));
    text.remove_prefix(end);
    return value;
  }
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    value += text[i];
  }
  text.remove_prefix(std::min(i + 1, text.size()));
  return value;
}

std::optional<std::string> secret_for(const std::string& prefix, const Url& url,
                                      const std::function<std::optional<std::string>(const std::string&)>& secret) {
  auto value = secret(prefix + url.authority());
  return value || url.port.empty() ? value : secret(prefix + url.host);
}

}  // namespace

Download download(const DownloadRequest& request) {
  if (!request.checksum.empty()) check_checksum(request.checksum);
  empty_file(request.output);
  Sink sink{request, {}};
  HttpRequest http = http_request_for(request);
  http.on_response = [&](const HttpResponse& response) { sink.total = content_length(response); };
  http.on_data = [&](std::string_view bytes) { sink.data(bytes); };
  http.on_restart = [&] { sink.restart(); };
  const HttpResponse response = http_request(http);

  Download result;
  result.not_modified = response.status == 304;
  if (!response.ok() && !result.not_modified) throw http_status_error(http.method, response);
  result.etag = response.header("etag");
  result.last_modified = response.header("last-modified");
  result.mtime = parse_http_date(result.last_modified);
  result.content_type = response.header("content-type");
  result.file_name = chosen_file_name(request, response);
  if (result.not_modified) return result;
  result.size = sink.done;
  result.digest = sink.hash.digest();
  if (!request.checksum.empty() && result.digest != request.checksum) {
    throw Error(ExitClass::step_failed, fmt::format("digest mismatch {}: {}", result.digest, request.checksum))
        .with_context(printable_url(request.url))
        .with_advice("The file on the server is not the one that the checksum names: check both.");
  }
  return result;
}

std::string url_file_name(std::string_view url) {
  const auto parsed = parse_url(url);
  if (!parsed) return "";
  std::string_view path = parsed->path;
  while (path.ends_with('/')) path.remove_suffix(1);
  return plain_name(percent_decode(path));
}

std::string content_disposition_file_name(std::string_view header) {
  std::string name;
  for (;;) {
    const auto semicolon = header.find(';');
    if (semicolon == std::string_view::npos) return name;
    header = trim(header.substr(semicolon + 1));
    const auto equals = header.find('=');
    if (equals == std::string_view::npos) return name;
    const auto key = to_lower(trim(header.substr(0, equals)));
    header = trim(header.substr(equals + 1));
    const auto value = take_parameter_value(header);
    if (key == "filename" && name.empty() && !value.ends_with('/')) name = plain_name(value);
    if (key == "filename*") {  // RFC 5987: charset'language'encoded
      const auto quote = value.rfind('\'');
      if (quote != std::string::npos) name = plain_name(percent_decode(std::string_view(value).substr(quote + 1)));
    }
  }
}

std::string http_authorization(std::string_view url,
                               const std::function<std::optional<std::string>(const std::string& name)>& secret) {
  const auto parsed = parse_url(url);
  if (!parsed) return "";
  if (const auto header = secret_for("HTTP_AUTH_HEADER_", *parsed, secret)) return std::string(trim(*header));
  if (const auto token = secret_for("HTTP_AUTH_TOKEN_", *parsed, secret)) return "Bearer " + std::string(trim(*token));
  return "";
}

}  // namespace mbuild::remote
