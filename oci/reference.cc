#include "oci/reference.h"

#include <algorithm>
#include <optional>

#include "base/digest.h"
#include "base/error.h"
#include "base/strings.h"

// The grammar is that of the distribution project:
//
//   reference   = name [ ":" tag ] [ "@" digest ]
//   name        = [ domain "/" ] component *( "/" component )
//   domain      = host [ ":" 1*DIGIT ]        host: dot-separated labels, or an IPv6 address in brackets
//   component   = 1*lower-alnum *( separator 1*lower-alnum )   separator: "." | "_" | "__" | 1*"-"
//   tag         = (alnum | "_") *127( alnum | "_" | "." | "-" )
//   digest      = algorithm ":" 32*hex
//
// The first part of a name is a domain only if it could not be a path: it holds a dot, a colon or an upper-case letter,
// or is "localhost".
namespace mbuild::frontend {
namespace {

constexpr std::string_view k_default_domain = "docker.io";
constexpr std::string_view k_official_prefix = "library/";
constexpr std::size_t k_max_name = 255;
constexpr std::size_t k_max_tag = 128;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_alnum(char c) { return is_digit(c) || is_lower(c) || is_upper(c); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

template <typename Predicate>
bool all_of(std::string_view text, Predicate predicate) {
  return std::all_of(text.begin(), text.end(), predicate);
}

Error malformed(std::string_view text, std::string_view what = {}) {
  std::string message = "invalid reference format";
  if (!what.empty()) message.append(": ").append(what);
  return Error(ExitClass::usage, message + " (\"" + std::string(text) + "\")")
      .with_advice("write an image reference as [registry/]name[:tag][@digest], the name in lower case");
}

bool is_domain_label(std::string_view label) {
  return !label.empty() && label.front() != '-' && label.back() != '-' &&
         all_of(label, [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_domain(std::string_view domain) {
  std::string_view host = domain;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos || end < 2) return false;
    if (!all_of(host.substr(1, end - 1), [](char c) { return is_hex(c) || c == ':'; })) return false;
    host.remove_prefix(end + 1);
    return host.empty() || (host.size() > 1 && host.front() == ':' && all_of(host.substr(1), is_digit));
  }
  if (const std::size_t colon = host.find(':'); colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    if (port.empty() || !all_of(port, is_digit)) return false;
    host = host.substr(0, colon);
  }
  for (const std::string& label : split(host, '.')) {
    if (!is_domain_label(label)) return false;
  }
  return true;
}

bool is_path_component(std::string_view component) {
  const auto is_name = [](char c) { return is_digit(c) || is_lower(c); };
  std::size_t i = 0;
  while (i < component.size()) {
    const std::size_t word = i;
    while (i < component.size() && is_name(component[i])) ++i;
    if (i == word) return false;
    if (i == component.size()) return true;
    const char separator = component[i];
    const std::size_t start = i;
    while (i < component.size() && component[i] == separator) ++i;
    const std::size_t length = i - start;
    const bool fits = separator == '-' || (separator == '.' && length == 1) || (separator == '_' && length <= 2);
    if (!fits) return false;
  }
  return false;
}

bool is_path(std::string_view path) {
  for (const std::string& component : split(path, '/')) {
    if (!is_path_component(component)) return false;
  }
  return true;
}

bool is_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= k_max_tag && (is_alnum(tag.front()) || tag.front() == '_') &&
         all_of(tag, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

void check_digest(std::string_view digest, std::string_view text) {
  const std::size_t colon = digest.find(':');
  const bool shaped = colon != std::string_view::npos && colon > 0 && digest.size() - colon - 1 >= 32 &&
                      all_of(digest.substr(colon + 1), is_hex);
  if (!shaped) throw malformed(text);
  if (digest.substr(0, colon) != "sha256") throw malformed(text, "unsupported digest algorithm");
  if (!is_sha256_digest(digest)) throw malformed(text, "invalid checksum digest length");
}

// The position of the ':' before a tag: the last colon, unless a '/' follows (then it is a port).
std::optional<std::size_t> tag_separator(std::string_view name) {
  const std::size_t colon = name.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  if (name.find_first_of("/]", colon) != std::string_view::npos) return std::nullopt;
  return colon;
}

bool names_a_domain(std::string_view first) {
  return first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
         std::any_of(first.begin(), first.end(), is_upper);
}

void split_name(std::string_view name, Reference& reference) {
  const std::size_t slash = name.find('/');
  if (slash != std::string_view::npos && names_a_domain(name.substr(0, slash))) {
    reference.domain = name.substr(0, slash);
    reference.path = name.substr(slash + 1);
    if (reference.domain == "index.docker.io") reference.domain = k_default_domain;
  } else {
    reference.domain = k_default_domain;
    reference.path = name;
  }
  if (reference.domain == k_default_domain && reference.path.find('/') == std::string::npos) {
    reference.path.insert(0, k_official_prefix);
  }
}

}  // namespace

Reference parse_reference(std::string_view text) {
  Reference reference;
  std::string_view name = text;
  if (const std::size_t at = name.find('@'); at != std::string_view::npos) {
    check_digest(name.substr(at + 1), text);
    reference.digest = name.substr(at + 1);
    name = name.substr(0, at);
  }
  if (const auto colon = tag_separator(name)) {
    reference.tag = name.substr(*colon + 1);
    if (!is_tag(reference.tag)) throw malformed(text);
    name = name.substr(0, *colon);
  }
  if (name.empty()) throw malformed(text);
  if (text.size() == 64 && all_of(text, [](char c) { return is_hex(c) && !is_upper(c); })) {
    throw malformed(text, "a name cannot be a 64-byte hexadecimal string");
  }
  split_name(name, reference);
  if (!is_domain(reference.domain)) throw malformed(text);
  if (!is_path(reference.path)) {
    if (is_path(to_lower(reference.path))) {
      throw malformed(text, "repository name (" + reference.path + ") must be lowercase");
    }
    throw malformed(text);
  }
  if (reference.path.size() > k_max_name) throw malformed(text, "repository name must not be more than 255 characters");
  return reference;
}

Reference with_default_tag(Reference reference) {
  if (reference.tag.empty() && reference.digest.empty()) reference.tag = "latest";
  return reference;
}

std::string repository_name(const Reference& reference) { return reference.domain + "/" + reference.path; }

std::string to_string(const Reference& reference) {
  std::string text = repository_name(reference);
  if (!reference.tag.empty()) text += ":" + reference.tag;
  if (!reference.digest.empty()) text += "@" + reference.digest;
  return text;
}

std::string familiar_string(const Reference& reference) {
  Reference shown = reference;
  std::string text = repository_name(shown);
  if (shown.domain == k_default_domain) {
    const bool official = shown.path.starts_with(k_official_prefix) &&
                          shown.path.find('/', k_official_prefix.size()) == std::string::npos;
    text = official ? shown.path.substr(k_official_prefix.size()) : shown.path;
  }
  if (!shown.tag.empty()) text += ":" + shown.tag;
  if (!shown.digest.empty()) text += "@" + shown.digest;
  return text;
}

}  // namespace mbuild::frontend
