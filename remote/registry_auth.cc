#include "remote/registry_auth.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "remote/url.h"

// How a registry lets one in. The first request goes without authorization. A 401 names the way: "Basic", to which user
// and password are the answer, or "Bearer realm=...,service=...": then a token server at `realm` gives a short-lived
// token for a scope, to whoever may have it (to anybody for public images). The way is remembered, so that the next
// scope's token is fetched before its first request; tokens are kept until shortly before they expire.
namespace mbuild::remote {
namespace {

constexpr std::chrono::seconds k_shortest_life{60};  // the protocol's default when none is given
constexpr std::chrono::seconds k_margin{10};
constexpr std::size_t k_largest_answer = std::size_t{1} << 20;  // of a token server
constexpr std::size_t k_longest_token = std::size_t{64} << 10;  // more than servers take in a header

bool is_token_char(char c) {
  return c > ' ' && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
}

void skip(std::string_view& text, std::string_view what) {
  text.remove_prefix(std::min(text.find_first_not_of(what), text.size()));
}

std::string take_token(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_token_char);
  std::string token(text.begin(), end);
  text.remove_prefix(token.size());
  return token;
}

std::string take_value(std::string_view& text) {
  if (!text.starts_with('"')) return take_token(text);
  std::string value;
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
    value += text.front();
    text.remove_prefix(1);
  }
  if (!text.empty()) text.remove_prefix(1);
  return value;
}

// The challenge that can be answered best.
std::optional<Challenge> choose(const HttpResponse& refusal) {
  std::optional<Challenge> basic;
  for (const auto& [name, value] : refusal.headers) {
    if (name != "www-authenticate") continue;
    for (auto& challenge : parse_challenges(value)) {
      if (challenge.scheme == "bearer" && challenge.parameters.contains("realm")) return challenge;
      if (challenge.scheme == "basic") basic = std::move(challenge);
    }
  }
  return basic;
}

// "team/app" of "repository:team/app:pull repository:...".
std::string repository_of(const std::string& scope) {
  const auto begin = scope.find(':') + 1;  // npos + 1 is 0
  return scope.substr(begin, scope.find(':', begin) - begin);
}

std::string basic_value(const Credentials& credentials) {
  return "Basic " + base64_encode(credentials.user + ":" + credentials.password);
}

std::string form(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += (out.empty() ? "" : "&") + percent_encode(name) + "=" + percent_encode(value);
  }
  return out;
}

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view header) {
  std::vector<Challenge> challenges;
  for (;;) {
    skip(header, " \t,");
    if (header.empty()) return challenges;
    std::string word = take_token(header);
    if (word.empty()) return challenges;  // not in the grammar: what was read stands
    skip(header, " \t");
    if (!header.starts_with('=')) {
      challenges.push_back({to_lower(word), {}});
    } else {
      header.remove_prefix(1);
      skip(header, " \t");
      auto value = take_value(header);
      if (!challenges.empty()) challenges.back().parameters[to_lower(word)] = std::move(value);
    }
  }
}

Authorizer::Authorizer(std::string host, CredentialSource credentials, HttpOptions http)
    : host_(std::move(host)), source_(std::move(credentials)), http_(std::move(http)) {}

const Credentials& Authorizer::credentials(const std::string& scope, const std::stop_token& stop) {
  const auto name = repository_of(scope);
  const auto known = credentials_.find(name);
  if (known != credentials_.end()) return known->second;
  return credentials_[name] = source_ ? source_(host_, name, stop) : Credentials{};
}

std::string Authorizer::known(const std::string& scope, std::stop_token stop) {
  const std::lock_guard lock(mutex_);
  return challenge_ ? fetch(scope, stop) : "";
}

std::optional<std::string> Authorizer::answer(const HttpResponse& refusal, const std::string& scope,
                                              const std::string& refused, std::stop_token stop) {
  const std::lock_guard lock(mutex_);
  auto challenge = choose(refusal);
  if (!challenge) return std::nullopt;
  challenge_ = std::move(challenge);
  secure_challenge_ = refusal.url.starts_with("https:");
  const auto token = tokens_.find(scope);
  if (token != tokens_.end() && "Bearer " + token->second.value == refused) tokens_.erase(token);
  auto value = fetch(scope, stop);
  if (value.empty() || value == refused) return std::nullopt;
  return value;
}

std::string Authorizer::fetch(const std::string& scope, const std::stop_token& stop) {
  const Credentials& presented = credentials(scope, stop);
  if (challenge_->scheme == "basic") return presented.user.empty() ? "" : basic_value(presented);
  if (!presented.registry_token.empty()) return "Bearer " + presented.registry_token;
  const auto it = tokens_.find(scope);
  if (it != tokens_.end() && it->second.expires > Clock::now()) return "Bearer " + it->second.value;

  const HttpResponse response = ask_token_server(presented, scope, stop);
  const auto answer = nlohmann::json::parse(response.body, nullptr, false);
  std::string token;
  std::int64_t life = 0;
  if (answer.is_object()) {
    for (const char* name : {"token", "access_token"}) {
      if (token.empty() && answer.contains(name) && answer[name].is_string()) token = answer[name].get<std::string>();
    }
    if (answer.contains("expires_in") && answer["expires_in"].is_number())
      life = answer["expires_in"].get<std::int64_t>();
  }
  if (token.empty() || token.size() > k_longest_token) {
    throw Error(ExitClass::network,
                fmt::format("the token server {} sent no token that can be used", printable_url(response.url)))
        .with_advice("The registry's token server is at fault, not the build.");
  }
  const auto lifetime = std::max(k_shortest_life, std::chrono::seconds(std::min<std::int64_t>(life, 86'400)));
  tokens_[scope] = {token, Clock::now() + lifetime - k_margin};
  return "Bearer " + token;
}

HttpResponse Authorizer::ask_token_server(const Credentials& presented, const std::string& scope,
                                          const std::stop_token& stop) {
  const auto& parameters = challenge_->parameters;
  const std::string& realm = parameters.at("realm");
  const auto service = parameters.find("service");
  const auto url = parse_url(realm);
  if (!url || (url->scheme != "https" && url->scheme != "http")) {
    throw Error(ExitClass::network, fmt::format("{} names an unusable token server: {}", host_, printable_url(realm)));
  }
  if (!presented.empty() && secure_challenge_ && url->scheme == "http" && !is_loopback(url->authority())) {
    throw Error(ExitClass::network,
                fmt::format("{} wants the password sent unencrypted to {}", host_, printable_url(realm)))
        .with_advice("The registry is misconfigured; log out of it to use it without a password.");
  }
  HttpRequest request;
  request.options = http_;
  request.stop = stop;
  request.url = realm;
  request.max_body = k_largest_answer;
  const auto scopes = split(scope, ' ');
  if (!presented.identity_token.empty()) {
    std::vector<std::pair<std::string, std::string>> fields{{"grant_type", "refresh_token"},
                                                            {"client_id", "mbuild"},
                                                            {"refresh_token", presented.identity_token},
                                                            {"scope", scope}};
    if (service != parameters.end()) fields.emplace_back("service", service->second);
    request.method = "POST";
    request.secrets.push_back(presented.identity_token);
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.upload = upload_from_string(form(fields));
  } else {
    if (service != parameters.end()) request.url = with_query(request.url, "service", service->second);
    for (const auto& one : scopes) {
      if (!one.empty()) request.url = with_query(request.url, "scope", one);
    }
    if (!presented.user.empty()) {
      request.url = with_query(request.url, "account", presented.user);
      request.headers.emplace_back("Authorization", basic_value(presented));
    }
  }
  try {
    return http_request(request);
  } catch (HttpError& error) {
    if (error.status == 401 || error.status == 403) {
      error.advice = fmt::format("The token server refuses the credentials for {0}: run `docker login {0}`.", host_);
    }
    error.with_context("log in to " + host_);
    throw;
  }
}

}  // namespace mbuild::remote
