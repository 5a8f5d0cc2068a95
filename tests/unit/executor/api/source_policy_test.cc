#include "executor/api/source_policy.h"

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

std::shared_ptr<const SourcePolicy> policy(const std::string& rules) {
  return parse_source_policy("{\"version\": 1, \"rules\": [" + rules + "]}", "policy.json");
}

std::string rule(const std::string& action, const std::string& identifier, const std::string& match = "WILDCARD") {
  return R"({"action": ")" + action + R"(", "selector": {"identifier": ")" + identifier + R"(", "match_type": ")" +
         match + "\"}}";
}

std::string conversion(const std::string& selector, const std::string& updates) {
  return R"({"action": "CONVERT", "selector": {)" + selector + R"(}, "updates": {)" + updates + "}}";
}

bool says(const std::string& error, std::string_view text) { return error.find(text) != std::string::npos; }

std::string error_for(const std::string& rules, const std::string& reference) {
  return testing::error_of([&] { policy_image(policy(rules).get(), reference); });
}

const std::string k_alpine = "docker.io/library/alpine:3.20";

std::string attribute(const graph::SourceOp& source, const std::string& name) {
  const auto attributes = graph::source_attributes(source);
  const auto found = attributes.find(name);
  return found == attributes.end() ? "" : found->second;
}

}  // namespace

TEST_CASE("Of the rules that allow and deny the last one that matches counts") {
  const auto deny = rule("DENY", "docker-image://*"), allow = rule("ALLOW", "docker-image://" + k_alpine, "EXACT");
  CHECK(says(error_for(deny, k_alpine), "source \"docker-image://docker.io/library/alpine:3.20\" denied by policy"));
  CHECK(error_for(deny + "," + allow, k_alpine).empty());
  CHECK(says(error_for(allow + "," + deny, k_alpine), "denied by policy"));
  CHECK(says(error_for(deny + "," + allow, "docker.io/library/debian:12"), "denied by policy"));
  CHECK(error_for(rule("DENY", "docker-image://*debian*"), k_alpine).empty());
}

TEST_CASE("Selectors are exact, with wildcards or regular expressions") {
  CHECK(error_for(rule("DENY", "docker-image://docker.io/library/alp", "EXACT"), k_alpine).empty());
  CHECK(says(error_for(rule("DENY", "docker-image://docker.io/*:3.*"), k_alpine), "denied"));
  CHECK(error_for(rule("DENY", "alpine*"), k_alpine).empty());  // all of it has to match
  CHECK(says(error_for(rule("DENY", "library/alp[a-z]+:\\\\d", "REGEX"), k_alpine), "denied"));
  CHECK(error_for(rule("DENY", "^alpine", "REGEX"), k_alpine).empty());
  CHECK(says(error_for(R"({"action": 1, "selector": {"identifier": "docker-image://*", "matchType": 0}})", k_alpine),
             "denied"));
}

TEST_CASE("Images are converted, with what the selector matched") {
  const auto wildcard = policy(conversion(R"("identifier": "docker-image://docker.io/library/alpine:*")",
                                          R"("identifier": "docker-image://example.com/mirror/alpine:${1}")"));
  CHECK(policy_image(wildcard.get(), k_alpine) == "example.com/mirror/alpine:3.20");
  CHECK(policy_image(wildcard.get(), "docker.io/library/debian:12") == "docker.io/library/debian:12");
  const auto regex =
      policy(conversion(R"("identifier": "^docker-image://docker\\.io/(library)/", "match_type": "REGEX")",
                        R"("identifier": "docker-image://example.com/$1-copies/")"));
  CHECK(policy_image(regex.get(), k_alpine) == "example.com/library-copies/alpine:3.20");
  const auto exact = policy(conversion(R"("identifier": "docker-image://)" + k_alpine + R"(", "match_type": "EXACT")",
                                       R"("identifier": "docker-image://alpine:3.19")"));
  CHECK(policy_image(exact.get(), k_alpine) == "docker.io/library/alpine:3.19");
}

TEST_CASE("What was converted is looked at again, from the first rule") {
  const auto to_other = conversion(R"("identifier": "docker-image://)" + k_alpine + "\"",
                                   R"("identifier": "docker-image://docker.io/library/debian:12")");
  CHECK(says(error_for(rule("DENY", "docker-image://*debian*") + "," + to_other, k_alpine), "denied by policy"));
  const auto endless = conversion(R"("identifier": "docker-image://*")", R"("identifier": "docker-image://${1}x")");
  CHECK(says(error_for(endless, k_alpine), "without an end"));
  CHECK(says(error_for(conversion(R"("identifier": "docker-image://*")", R"("identifier": "https://h/x")"), k_alpine),
             "stays one of its kind"));
}

TEST_CASE("An image is denied by its digest, and allowed by its name where that is all the policy says") {
  const std::string digest = "sha256:" + std::string(64, 'a');
  const auto by_digest = policy(rule("DENY", "docker-image://*@" + digest));
  CHECK(says(testing::error_of([&] { check_pinned_image(by_digest.get(), k_alpine, digest); }), "denied by policy"));
  CHECK(testing::error_of([&] { check_pinned_image(by_digest.get(), k_alpine, "sha256:b"); }).empty());
  const auto by_name = policy(rule("DENY", "*") + "," + rule("ALLOW", "docker-image://" + k_alpine, "EXACT"));
  CHECK(testing::error_of([&] { check_pinned_image(by_name.get(), k_alpine, digest); }).empty());
}

TEST_CASE("Files of http are given a checksum, and rules may ask for theirs") {
  const auto pin = policy(
      conversion(R"("identifier": "https://h/f", "match_type": "EXACT")", R"("attrs": {"http.checksum": "sha256:1"})"));
  CHECK(attribute(allowed_source(*pin, graph::HttpSource{.url = "https://h/f"}), "checksum") == "sha256:1");
  CHECK(attribute(allowed_source(*pin, graph::HttpSource{.url = "https://h/g"}), "checksum").empty());
  const auto unpinned = policy(
      R"({"action": "DENY", "selector": {"identifier": "https://*", "constraints": [
         {"key": "http.checksum", "value": "^sha256:", "condition": "MATCHES"}]}})");
  CHECK(says(testing::error_of(
                 [&] { allowed_source(*unpinned, graph::HttpSource{.url = "https://h/f", .checksum = "sha256:1"}); }),
             "denied"));
  CHECK(testing::error_of([&] { allowed_source(*unpinned, graph::HttpSource{.url = "https://h/f"}); }).empty());
}

TEST_CASE("Git repositories are named with their reference, and converted") {
  const graph::SourceOp source =
      graph::GitSource{.place = "h/r.git", .remote = "https://h/r.git", .ref = "main", .subdir = "d"};
  CHECK(says(testing::error_of([&] { allowed_source(*policy(rule("DENY", "git://h/r.git#main:d", "EXACT")), source); }),
             "denied"));
  const auto moved = allowed_source(
      *policy(conversion(R"("identifier": "git://h/r.git#main:*")", R"("identifier": "git://m/r.git#v1:${1}")")),
      source);
  CHECK(graph::identifier_of(moved) == "git://m/r.git");
  CHECK(attribute(moved, "remote") == "https://m/r.git");
  CHECK(attribute(moved, "ref") == "v1");
  CHECK(attribute(moved, "subdir") == "d");
}

TEST_CASE("Directories are denied and never converted") {
  CHECK(says(testing::error_of([&] { check_local_source(*policy(rule("DENY", "local://*")), "context"); }), "denied"));
  const auto converting = policy(conversion(R"("identifier": "local://*")", R"("identifier": "local://other")"));
  CHECK(says(testing::error_of([&] { check_local_source(*converting, "context"); }), "directory of the user's"));
}

TEST_CASE("What isn't understood is no policy") {
  const auto error = [](const std::string& rules) { return testing::error_of([&] { policy(rules); }); };
  CHECK(says(error(rule("PERMIT", "*")), "\"PERMIT\", which is not understood"));
  CHECK(says(error(rule("DENY", "*", "GLOB")), "\"GLOB\", which is not understood"));
  CHECK(says(error(R"({"action": "DENY", "selector": {"identifier": "*"}, "unless": 1})"), "\"unless\""));
  CHECK(says(error(R"({"action": "DENY"})"), "no selector"));
  CHECK(says(error(R"({"action": "CONVERT", "selector": {"identifier": "*"}})"), "no updates"));
  CHECK(says(error(R"({"action": "DENY", "selector": {"identifier": "*", "constraints": [
                     {"key": "image.age", "value": "1"}]}})"),
             "\"image.age\", which is not understood"));
  for (const char* regex : {"(?i)x", "\\\\Ax", "\\\\pL", "[]x]", "("}) {
    CHECK(says(error(rule("DENY", regex, "REGEX")), "regular expression"));
  }
  CHECK(says(testing::error_of([] { parse_source_policy("{", "p"); }), "no valid JSON"));
  CHECK(says(testing::error_of([] { parse_source_policy(R"({"version": 2})", "p"); }), "version 2"));
  CHECK(testing::error_of([] { load_source_policy("/nowhere/policy.json"); }).starts_with("2 "));
  CHECK(load_source_policy("") == nullptr);
}
