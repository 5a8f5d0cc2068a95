#include "remote/url.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace mbuild::remote {
namespace {

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Cuts `text` at the first `mark`; what follows it, if it is there.
std::optional<std::string> cut_after(std::string_view& text, char mark) {
  const auto at = text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  std::string rest(text.substr(at + 1));
  text = text.substr(0, at);
  return rest;
}

// Where the port's colon is in "host:port" or "[address]:port".
std::size_t port_colon(std::string_view authority) {
  const auto colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.find(']', colon) != std::string_view::npos) return authority.npos;
  return colon;
}

constexpr std::string_view k_base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
  const auto mark = text.find("://");
  if (mark == std::string_view::npos || mark == 0) return std::nullopt;
  const auto scheme = text.substr(0, mark);
  if (!std::all_of(scheme.begin(), scheme.end(), [](char c) { return is_alphanumeric(c) || c == '+' || c == '-'; })) {
    return std::nullopt;
  }
  Url url;
  url.scheme = to_lower(scheme);
  text.remove_prefix(mark + 3);
  url.fragment = cut_after(text, '#');
  url.query = cut_after(text, '?');
  auto authority = text.substr(0, text.find('/'));
  url.path = text.substr(authority.size());
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    url.user_info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  if (const auto colon = port_colon(authority); colon != std::string_view::npos) {
    url.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  const bool bracketed = authority.starts_with('[') && authority.ends_with(']');
  if (!bracketed && authority.find_first_of(":[]") != authority.npos) return std::nullopt;
  url.host = authority;
  return url;
}

std::string to_string(const Url& url) {
  std::string out = url.scheme + "://";
  if (!url.user_info.empty()) out += url.user_info + "@";
  out += url.authority() + url.path;
  if (url.query) out += "?" + *url.query;
  if (url.fragment) out += "#" + *url.fragment;
  return out;
}

std::string resolve_url(const std::string& base, std::string_view reference) {
  if (parse_url(reference)) return std::string(reference);
  auto url = parse_url(base);
  if (!url) return std::string(reference);
  if (reference.starts_with("//")) return url->scheme + ":" + std::string(reference);
  url->fragment = cut_after(reference, '#');
  auto query = cut_after(reference, '?');
  if (!reference.empty()) {
    if (!reference.starts_with('/')) url->path.resize(url->path.rfind('/') + 1);  // npos + 1 is 0
    url->path = reference.starts_with('/') ? std::string(reference) : url->path + std::string(reference);
    if (!url->path.starts_with('/')) url->path.insert(0, 1, '/');
  }
  if (query || !reference.empty()) url->query = std::move(query);
  return to_string(*url);
}

std::string printable_url(std::string_view text) {
  auto url = parse_url(text);
  if (!url) return std::string(text);
  url->user_info.clear();
  url->query.reset();
  url->fragment.reset();
  return to_string(*url);
}

std::string with_query(std::string url, std::string_view key, std::string_view value) {
  url += url.find('?') == std::string::npos ? '?' : '&';
  return url + percent_encode(key) + "=" + percent_encode(value);
}

bool is_loopback(std::string_view authority) {
  const std::string host = to_lower(authority.substr(0, port_colon(authority)));
  if (host == "localhost" || host.ends_with(".localhost") || host == "[::1]" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_alphanumeric(c) || std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string base64_encode(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k <= bytes.size() ? k_base64[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  unsigned bits = 0, count = 0;
  for (const char c : text) {
    const auto value = k_base64.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<unsigned>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

}  // namespace mbuild::remote
