#include "graph/git_ref.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/percent_decode.h"
#include "base/strings.h"

namespace mbuild::frontend {
namespace {

// An address cut in pieces: SCHEME://AUTHORITY/PATH, or USER@HOST:PATH (then the scheme is "ssh").
struct Address {
  std::string scheme, remote, path, query, fragment;
};

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_host_character(char c) { return (is_word_character(c) && c != '_') || c == '.'; }

// Cuts "?query#fragment" off; returns what is before.
std::string_view cut_options(std::string_view text, Address& address) {
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
    address.fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  if (const std::size_t mark = text.find('?'); mark != std::string_view::npos) {
    address.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  return text;
}

std::optional<Address> parse_url(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return std::nullopt;
  Address address;
  address.scheme = to_lower(text.substr(0, end));
  address.remote = cut_options(text, address);
  const std::size_t slash = address.remote.find('/', end + 3);
  if (slash != std::string::npos) address.path = address.remote.substr(slash);
  return address;
}

// git@github.com:owner/repository.git
std::optional<Address> parse_scp(std::string_view text) {
  Address address;
  address.scheme = "ssh";
  address.remote = cut_options(text, address);
  const std::string_view remote = address.remote;
  const std::size_t at = remote.find('@');
  const std::size_t colon = remote.find(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || at == 0 || colon <= at + 1)
    return std::nullopt;
  const std::string_view user = remote.substr(0, at);
  const std::string_view host = remote.substr(at + 1, colon - at - 1);
  if (!std::ranges::all_of(user, is_word_character) || !std::ranges::all_of(host, is_host_character))
    return std::nullopt;
  address.path = remote.substr(colon + 1);
  return address;
}

std::string decode_query(std::string_view text) {
  std::string plain(text);
  std::ranges::replace(plain, '+', ' ');
  return percent_decode(plain);
}

Error wrong(std::string message) { return Error(ExitClass::usage, std::move(message)); }

bool parse_bool(const std::string& key, const std::string& value) {
  if (value.empty()) return true;
  const std::string word = to_lower(value);
  if (word == "1" || word == "t" || word == "true") return true;
  if (word == "0" || word == "f" || word == "false") return false;
  throw wrong("invalid " + key + " value: \"" + value + "\"");
}

void set_once(std::string& field, const std::string& value, std::string_view name) {
  if (!field.empty() && field != value) {
    throw wrong(std::string(name) + " conflicts: \"" + field + "\" vs \"" + value + "\"");
  }
  field = value;
}

std::string with_prefix(const std::string& name, std::string_view prefix) {
  return name.starts_with(prefix) ? name : std::string(prefix) + name;
}

std::vector<std::pair<std::string, std::string>> split_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& part : split(query, '&')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    std::string key = decode_query(part.substr(0, equals));
    std::string value = equals == std::string::npos ? "" : decode_query(part.substr(equals + 1));
    for (const auto& known : pairs) {
      if (known.first == key) throw wrong("query \"" + key + "\" has multiple values");
    }
    pairs.emplace_back(std::move(key), std::move(value));
  }
  return pairs;
}

void apply_query(const std::string& query, GitRef& ref) {
  std::string tag, branch;
  for (const auto& [key, value] : split_query(query)) {
    const bool is_flag = key == "submodules" || key == "keep-git-dir" || key == "fetch-by-commit";
    if (value.empty() && !is_flag) throw wrong("query \"" + key + "\" has no value");
    if (key == "ref") {
      set_once(ref.ref, value, "ref");
    } else if (key == "tag") {
      tag = with_prefix(value, "refs/tags/");
    } else if (key == "branch") {
      branch = with_prefix(value, "refs/heads/");
    } else if (key == "subdir") {
      set_once(ref.subdir, value, "subdir");
    } else if (key == "checksum" || key == "commit") {
      ref.checksum = value;
    } else if (key == "keep-git-dir") {
      ref.keep_git_dir = parse_bool(key, value);
    } else if (key == "submodules") {
      ref.submodules = parse_bool(key, value);
    } else if (key == "fetch-by-commit") {
      ref.fetch_by_commit = parse_bool(key, value);
    } else if (key == "mtime") {
      if (value != "checkout" && value != "commit") {
        throw wrong("invalid mtime value: \"" + value + "\" (must be \"checkout\" or \"commit\")");
      }
      ref.mtime = value;
    } else {
      throw wrong("unexpected query \"" + key + "\"");
    }
  }
  if (!tag.empty()) set_once(ref.ref, tag, "ref");
  if (!branch.empty() && !tag.empty()) throw wrong("branch conflicts with tag");
  if (!branch.empty()) set_once(ref.ref, branch, "ref");
}

void apply_fragment(std::string_view fragment, GitRef& ref) {
  const std::size_t colon = fragment.find(':');
  ref.ref = fragment.substr(0, colon);
  if (colon == std::string_view::npos) return;
  ref.subdir = clean_path("/" + std::string(fragment.substr(colon + 1))).substr(1);
}

std::optional<Address> parse_address(std::string_view text) {
  if (text.starts_with("github.com/")) return parse_url("https://" + std::string(text));
  if (text.find("://") == std::string_view::npos) return parse_scp(text);
  auto address = parse_url(text);
  const bool web = address->scheme == "http" || address->scheme == "https";
  if (!web && address->scheme != "ssh" && address->scheme != "git") return std::nullopt;
  if (web && !address->path.ends_with(".git")) return std::nullopt;
  return address;
}

}  // namespace

std::optional<GitRef> parse_git_ref(std::string_view text) {
  if (text.starts_with("./") || text.starts_with("../")) return std::nullopt;
  const auto address = parse_address(text);
  if (!address) return std::nullopt;
  GitRef ref;
  ref.remote = address->remote;
  ref.looks_local = text.starts_with("github.com/");
  apply_fragment(address->fragment, ref);
  apply_query(address->query, ref);
  return ref;
}

graph::GitSource git_source(const GitRef& ref) {
  const std::size_t scheme = ref.remote.find("://");
  return {.place = scheme == std::string::npos ? ref.remote : ref.remote.substr(scheme + 3),
          .remote = ref.remote,
          .ref = ref.ref,
          .subdir = ref.subdir,
          .checksum = ref.checksum,
          .mtime = ref.mtime,
          .keep_git_dir = ref.keep_git_dir.value_or(false),
          .submodules = ref.submodules.value_or(true),
          .fetch_by_commit = ref.fetch_by_commit};
}

GitRef git_ref_of(const graph::GitSource& source) {
  return {.remote = source.remote,
          .ref = source.ref,
          .subdir = source.subdir,
          .checksum = source.checksum,
          .mtime = source.mtime,
          .keep_git_dir = source.keep_git_dir,
          .submodules = source.submodules,
          .fetch_by_commit = source.fetch_by_commit};
}

}  // namespace mbuild::frontend
