#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// URLs (RFC 3986) as far as HTTP, registries and git need them, and the two encodings that go with them.
namespace mbuild::remote {

struct Url {
  std::string scheme;     // lower case
  std::string user_info;  // "user:password", still encoded
  std::string host;       // "example.org", "[::1]"
  std::string port;       // "" when not given
  std::string path;       // still encoded
  std::optional<std::string> query, fragment;

  std::string authority() const { return port.empty() ? host : host + ":" + port; }
};

// Reads "scheme://[user@]host[:port][/path][?query][#fragment]"; nothing when it is not of that form.
std::optional<Url> parse_url(std::string_view text);
std::string to_string(const Url& url);

// The absolute form of a Location header's value that came with a response from `base`.
std::string resolve_url(const std::string& base, std::string_view reference);
// The URL without user name, password, query and fragment: what may be shown in messages.
std::string printable_url(std::string_view url);
// Appends key=value to the query, encoded.
std::string with_query(std::string url, std::string_view key, std::string_view value);

// localhost, *.localhost, 127.0.0.0/8 and ::1, with or without a port.
bool is_loopback(std::string_view authority);

std::string percent_encode(std::string_view text);

std::string base64_encode(std::string_view bytes);
// Accepts missing padding; nothing when there is a foreign character.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace mbuild::remote
