#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "remote/credentials.h"
#include "remote/http.h"

// Authentication to registries: basic, and bearer tokens of a token server.
namespace mbuild::remote {

struct Challenge {
  std::string scheme;                             // lower case: "basic", "bearer"
  std::map<std::string, std::string> parameters;  // names in lower case: realm, service, scope, error
};

// The challenges of a WWW-Authenticate header (RFC 9110, 11.6.1); several may follow one another.
std::vector<Challenge> parse_challenges(std::string_view header);

// The authorization for one registry host. Thread-safe; a token is fetched once for all threads that need it.
class Authorizer {
 public:
  Authorizer(std::string host, CredentialSource credentials, HttpOptions http);

  // The Authorization value for a scope ("repository:library/alpine:pull", several separated by blanks) as far as it is
  // known without asking: "" before the first challenge.
  std::string known(const std::string& scope, std::stop_token stop);
  // Answers a 401: the new value; nothing when there is no other way than the one refused ("" on the first request).
  std::optional<std::string> answer(const HttpResponse& refusal, const std::string& scope, const std::string& refused,
                                    std::stop_token stop);

 private:
  using Clock = std::chrono::steady_clock;
  struct Token {
    std::string value;
    Clock::time_point expires;
  };

  const Credentials& credentials(const std::string& scope, const std::stop_token& stop);
  std::string fetch(const std::string& scope, const std::stop_token& stop);
  HttpResponse ask_token_server(const Credentials& presented, const std::string& scope, const std::stop_token& stop);

  const std::string host_;
  const CredentialSource source_;
  const HttpOptions http_;
  std::mutex mutex_;
  std::map<std::string, Credentials> credentials_;  // by repository
  std::optional<Challenge> challenge_;              // the one that is answered
  bool secure_challenge_ = false;                   // it came over TLS
  std::map<std::string, Token> tokens_;             // by scope
};

}  // namespace mbuild::remote
