#include "remote/secrets.h"

#include <algorithm>

#include "base/strings.h"
#include "remote/url.h"

namespace mbuild::remote {
namespace {

constexpr std::size_t k_shortest = 3;  // fewer characters are in every text
constexpr std::string_view k_hidden = "<hidden>";

void add(std::vector<std::string>& secrets, const std::string& secret) {
  for (auto form : {secret, percent_encode(secret), base64_encode(secret)}) {
    if (form.size() >= k_shortest && std::ranges::find(secrets, form) == secrets.end()) {
      secrets.push_back(std::move(form));
    }
  }
}

// "Bearer TOKEN", "Basic BASE64".
void add_authorization(std::vector<std::string>& secrets, std::string_view value) {
  const auto blank = value.find(' ');
  const auto credential = trim(blank == std::string_view::npos ? value : value.substr(blank + 1));
  add(secrets, std::string(credential));
  if (!iequals(value.substr(0, blank), "basic")) return;
  const auto pair = base64_decode(credential);
  if (!pair) return;
  add(secrets, *pair);
  if (const auto colon = pair->find(':'); colon != std::string::npos) add(secrets, pair->substr(colon + 1));
}

}  // namespace

std::vector<std::string> secrets_of(const Headers& headers, const std::vector<std::string>& more) {
  std::vector<std::string> secrets;
  for (const auto& [name, value] : headers) {
    if (iequals(name, "authorization")) add_authorization(secrets, value);
  }
  for (const auto& secret : more) add(secrets, secret);
  // The longest first: what is left of one that holds another would tell.
  std::ranges::stable_sort(secrets, [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return secrets;
}

std::string without_secrets(std::string text, const std::vector<std::string>& secrets) {
  for (const auto& secret : secrets) {
    for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + k_hidden.size())) {
      text.replace(at, secret.size(), k_hidden);
    }
  }
  return text;
}

}  // namespace mbuild::remote
