#include "executor/api/source_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "oci/reference.h"

namespace mbuild::executor {
namespace {

using nlohmann::json;
using Attributes = std::map<std::string, std::string>;

constexpr std::size_t k_longest_identifier = 4096;  // the matcher's depth grows with it
constexpr int k_most_conversions = 20;
constexpr std::string_view k_image = "docker-image://", k_layout = "oci-layout://", k_git = "git://";

enum class Action { allow, deny, convert };
enum class MatchType { wildcard, exact, regex };
enum class Condition { equal, not_equal, matches };

struct Constraint {
  std::string key, value;
  Condition condition = Condition::equal;
  std::regex pattern;
};

struct Rule {
  std::string shown;  // "rule 3 (DENY docker-image://*)"
  Action action = Action::allow;
  std::string identifier;
  MatchType match = MatchType::wildcard;
  std::regex pattern;  // of a wildcard or regex
  std::vector<Constraint> constraints;
  std::string new_identifier;
  Attributes new_attributes;
};

// Attributes by BuildKit's names, with those of the graph.
const std::map<std::string, std::string>& attribute_names() {
  static const std::map<std::string, std::string> names = {
      {"http.checksum", "checksum"}, {"http.filename", "filename"},
      {"http.perm", "mode"},         {"http.uid", "uid"},
      {"http.gid", "gid"},           {"git.fullurl", "remote"},
      {"git.checksum", "checksum"},  {"git.keepgitdir", "keep-git-dir"}};
  return names;
}

// A regular expression of Go (RE2) in what std::regex reads in the same way; the rest is refused, not guessed.
std::regex compile(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto rest = std::string_view(text).substr(i);
    const char next = rest.size() > 1 ? rest[1] : '\0';
    const bool is_word = (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') || (next >= '0' && next <= '9');
    if (rest.starts_with("\\") && is_word && std::string_view("dDwWsSbBnrtfv").find(next) == std::string_view::npos) {
      throw Error(ExitClass::usage, fmt::format("\"\\{}\" in the regular expression {} is not understood", next, text));
    }
    if ((rest.starts_with("(?") && !rest.starts_with("(?:")) || rest.starts_with("[]") || rest.starts_with("[^]")) {
      throw Error(ExitClass::usage,
                  fmt::format("\"{}\" in the regular expression {} is not understood", rest.substr(0, 3), text));
    }
    if (rest.starts_with("\\")) ++i;
  }
  try {
    return std::regex(text, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    throw Error(ExitClass::usage, fmt::format("the regular expression {}: {}", text, error.what()));
  }
}

// "*" is any characters, each a group; there is no other.
std::regex compile_wildcard(const std::string& text) {
  if (text.find("**") != std::string::npos) throw Error(ExitClass::usage, fmt::format("invalid wildcard {}", text));
  std::string pattern;
  for (const char c : text) {
    if (c == '*') {
      pattern += "(.*)";
    } else if (std::string_view("\\^$.|?+()[]{}/").find(c) != std::string_view::npos) {
      pattern += std::string("\\") + c;
    } else {
      pattern += c;
    }
  }
  return std::regex(pattern, std::regex::ECMAScript | std::regex::optimize);
}

// ---- reading

// The members of an object, each of which has to be known.
class Object {
 public:
  Object(const json& value, std::string name, std::initializer_list<std::string_view> known)
      : value_(value), name_(std::move(name)) {
    if (!value.is_object()) throw Error(ExitClass::usage, name_ + " is no object");
    for (const auto& [key, member] : value.items()) {
      if (std::ranges::find(known, key) != known.end()) continue;
      throw Error(ExitClass::usage, fmt::format("{} has a member \"{}\", which is not understood", name_, key));
    }
  }

  const json* find(std::string_view key) const {
    const auto found = value_.find(key);
    return found == value_.end() || found->is_null() ? nullptr : &*found;
  }

  std::string text(std::string_view key) const {
    const json* member = find(key);
    if (member == nullptr) return "";
    if (!member->is_string()) throw Error(ExitClass::usage, fmt::format("\"{}\" of {} is no text", key, name_));
    return member->get<std::string>();
  }

  // One of `names`, by name or number; the first where it isn't given.
  std::size_t choice(std::string_view key, std::initializer_list<std::string_view> names) const {
    const json* member = find(key);
    if (member == nullptr) return 0;
    if (member->is_number_unsigned() && member->get<std::size_t>() < names.size()) return member->get<std::size_t>();
    if (member->is_string()) {
      const auto found = std::ranges::find(names, member->get<std::string>());
      if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    }
    throw Error(ExitClass::usage,
                fmt::format("\"{}\" of {} is {}, which is not understood", key, name_, member->dump()));
  }

  const std::string& name() const { return name_; }

 private:
  const json& value_;
  std::string name_;
};

const std::string& known_attribute(const std::string& key, const std::string& where) {
  const auto found = attribute_names().find(key);
  if (found != attribute_names().end()) return found->first;
  std::vector<std::string> names;
  for (const auto& [name, own] : attribute_names()) names.push_back(name);
  throw Error(ExitClass::usage, fmt::format("{} names the attribute \"{}\", which is not understood", where, key))
      .with_advice("Attributes are " + join(names, ", ") + ".");
}

Constraint read_constraint(const json& value, const std::string& where) {
  const Object object(value, "a constraint of " + where, {"key", "value", "condition"});
  Constraint constraint{.key = known_attribute(object.text("key"), where), .value = object.text("value")};
  constraint.condition = static_cast<Condition>(object.choice("condition", {"EQUAL", "NOTEQUAL", "MATCHES"}));
  if (constraint.condition == Condition::matches) constraint.pattern = compile(constraint.value);
  return constraint;
}

void read_selector(const json& value, Rule& rule, const std::string& where) {
  const Object object(value, "the selector of " + where, {"identifier", "match_type", "matchType", "constraints"});
  rule.identifier = object.text("identifier");
  if (rule.identifier.empty()) throw Error(ExitClass::usage, object.name() + " has no identifier");
  const char* key = object.find("match_type") != nullptr ? "match_type" : "matchType";
  rule.match = static_cast<MatchType>(object.choice(key, {"WILDCARD", "EXACT", "REGEX"}));
  if (rule.match == MatchType::regex) rule.pattern = compile(rule.identifier);
  if (rule.match == MatchType::wildcard) rule.pattern = compile_wildcard(rule.identifier);
  const json* constraints = object.find("constraints");
  if (constraints == nullptr) return;
  if (!constraints->is_array()) throw Error(ExitClass::usage, "the constraints of " + where + " are no list");
  for (const auto& constraint : *constraints) rule.constraints.push_back(read_constraint(constraint, where));
}

void read_updates(const json& value, Rule& rule, const std::string& where) {
  const Object object(value, "the updates of " + where, {"identifier", "attrs"});
  rule.new_identifier = object.text("identifier");
  const json* attributes = object.find("attrs");
  if (attributes == nullptr) return;
  if (!attributes->is_object()) throw Error(ExitClass::usage, "the attrs of " + where + " are no object");
  for (const auto& [key, text] : attributes->items()) {
    if (!text.is_string()) throw Error(ExitClass::usage, fmt::format("the attribute {} of {} is no text", key, where));
    rule.new_attributes[known_attribute(key, where)] = text.get<std::string>();
  }
}

Rule read_rule(const json& value, std::size_t number) {
  const std::string where = fmt::format("rule {}", number);
  const Object object(value, where, {"action", "selector", "updates"});
  Rule rule;
  const std::initializer_list<std::string_view> actions = {"ALLOW", "DENY", "CONVERT"};
  const auto action = object.choice("action", actions);
  rule.action = static_cast<Action>(action);
  const json* selector = object.find("selector");
  if (selector == nullptr) throw Error(ExitClass::usage, where + " has no selector");
  read_selector(*selector, rule, where);
  rule.shown = fmt::format("{} ({} {})", where, actions.begin()[action], rule.identifier);
  const json* updates = object.find("updates");
  if (updates != nullptr) read_updates(*updates, rule, where);
  const bool converts = !rule.new_identifier.empty() || !rule.new_attributes.empty();
  if (converts != (rule.action == Action::convert)) {
    throw Error(ExitClass::usage, rule.shown + (converts ? " has updates, which only CONVERT has" : " has no updates"));
  }
  return rule;
}

// ---- matching

bool holds(const Constraint& constraint, const Attributes& attributes) {
  const auto found = attributes.find(constraint.key);
  const std::string value = found == attributes.end() ? "" : found->second;
  switch (constraint.condition) {
    case Condition::equal:
      return value == constraint.value;
    case Condition::not_equal:
      return value != constraint.value;
    case Condition::matches:
      return std::regex_search(value, constraint.pattern);
  }
  return false;
}

bool matches(const Rule& rule, const std::string& identifier, const Attributes& attributes) {
  if (identifier.size() > k_longest_identifier) {
    throw Error(ExitClass::usage,
                fmt::format("the source {} is too long for the source policy", clip_text(identifier, 200)));
  }
  for (const auto& constraint : rule.constraints) {
    if (!holds(constraint, attributes)) return false;
  }
  if (identifier == rule.identifier) return true;
  if (rule.match == MatchType::exact) return false;
  return rule.match == MatchType::regex ? std::regex_search(identifier, rule.pattern)
                                        : std::regex_match(identifier, rule.pattern);
}

// A template of Go's regexp: $1, ${1}, $$; a group that isn't there is "".
std::string expand(const std::string& format, const std::smatch& match) {
  const auto is_name = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  std::string out;
  for (std::size_t i = 0; i < format.size();) {
    if (format[i] != '$' || i + 1 == format.size()) {
      out += format[i++];
      continue;
    }
    if (format[i + 1] == '$') {
      out += '$';
      i += 2;
      continue;
    }
    const bool braced = format[i + 1] == '{';
    std::size_t end = i + (braced ? 2 : 1);
    std::string name;
    while (end < format.size() && is_name(format[end])) name += format[end++];
    if (name.empty() || (braced && (end == format.size() || format[end] != '}'))) {
      out += format[i++];
      continue;
    }
    const bool is_number = name.size() < 4 && name.find_first_not_of("0123456789") == std::string::npos;
    if (is_number && std::stoul(name) < match.size()) out += match[std::stoul(name)].str();
    i = end + (braced ? 1 : 0);
  }
  return out;
}

std::string converted(const Rule& rule, const std::string& identifier) {
  if (rule.new_identifier.empty()) return identifier;
  if (rule.match == MatchType::exact || identifier == rule.identifier) return rule.new_identifier;
  std::string out;
  auto rest = identifier.cbegin();
  for (std::sregex_iterator at(identifier.begin(), identifier.end(), rule.pattern), end; at != end; ++at) {
    out.append(rest, (*at)[0].first);
    out += expand(rule.new_identifier, *at);
    rest = (*at)[0].second;
    if (rule.match == MatchType::wildcard) break;
  }
  return out.append(rest, identifier.cend());
}

Error denied(const std::string& identifier, const Rule* rule) {
  return Error(ExitClass::usage, fmt::format("source \"{}\" denied by policy", identifier))
      .with_advice(fmt::format("{} of the file in EXPERIMENTAL_BUILDKIT_SOURCE_POLICY says so.", rule->shown));
}

struct Source {
  std::string identifier;
  Attributes attributes;
  auto operator<=>(const Source&) const = default;
};

std::string_view scheme_of(std::string_view identifier) {
  const auto end = identifier.find("://");
  const auto scheme = end == std::string_view::npos ? identifier : identifier.substr(0, end);
  return scheme == "http" ? "https" : scheme;
}

}  // namespace

class SourcePolicy {
 public:
  std::vector<Rule> rules;
};

namespace {

Source evaluate(const SourcePolicy& policy, Source source) {
  for (int i = 0; i <= k_most_conversions; ++i) {
    const Rule* deciding = nullptr;
    std::optional<Source> changed;
    for (const auto& rule : policy.rules) {
      if (!matches(rule, source.identifier, source.attributes)) continue;
      if (rule.action != Action::convert) {
        deciding = &rule;
        continue;
      }
      Source next{converted(rule, source.identifier), source.attributes};
      for (const auto& [key, value] : rule.new_attributes) next.attributes[key] = value;
      if (next == source) continue;
      if (scheme_of(next.identifier) != scheme_of(source.identifier)) {
        throw Error(ExitClass::usage, fmt::format("{} converts {} to {}: a source stays one of its kind", rule.shown,
                                                  source.identifier, next.identifier));
      }
      changed = std::move(next);
      break;
    }
    if (!changed) {
      if (deciding != nullptr && deciding->action == Action::deny) throw denied(source.identifier, deciding);
      return source;
    }
    source = std::move(*changed);
  }
  throw Error(ExitClass::usage, fmt::format("the source policy converts {} without an end", source.identifier));
}

// Rules for files of http are named http.*, those for git git.*.
std::string prefix_of(const std::string& identifier) {
  return identifier.starts_with(k_git) ? "git." : scheme_of(identifier) == "https" ? "http." : "none.";
}

// A source of the graph in its own words.
Source in_words(const graph::SourceOp& source) {
  return {graph::identifier_of(source), graph::source_attributes(source)};
}

Attributes attributes_of(const Source& source) {
  Attributes attributes;
  for (const auto& [name, own] : attribute_names()) {
    if (!name.starts_with(prefix_of(source.identifier))) continue;
    const auto found = source.attributes.find(own);
    if (found != source.attributes.end()) attributes[name] = found->second;
  }
  return attributes;
}

std::string git_identifier(const Source& source) {
  const auto attribute = [&](const char* name) {
    const auto found = source.attributes.find(name);
    return found == source.attributes.end() ? "" : found->second;
  };
  const std::string ref = attribute("ref"), subdirectory = attribute("subdir");
  if (ref.empty() && subdirectory.empty()) return source.identifier;
  return fmt::format("{}#{}{}{}", source.identifier, ref, subdirectory.empty() ? "" : ":", subdirectory);
}

void set_git_identifier(Source& source, const std::string& identifier) {
  const auto hash = std::min(identifier.find('#'), identifier.size());
  const std::string repository = identifier.substr(0, hash);
  const std::string fragment = hash == identifier.size() ? "" : identifier.substr(hash + 1);
  const auto colon = std::min(fragment.find(':'), fragment.size());
  const auto set = [&](const char* name, const std::string& value) {
    if (value.empty()) {
      source.attributes.erase(name);
    } else {
      source.attributes[name] = value;
    }
  };
  set("ref", fragment.substr(0, colon));
  set("subdir", colon == fragment.size() ? "" : fragment.substr(colon + 1));
  if (repository == source.identifier) return;
  auto& remote = source.attributes["remote"];
  const auto scheme = remote.find("://");
  if (scheme == std::string::npos) {
    throw Error(ExitClass::usage, fmt::format("the source policy converts {}, whose address {} has no scheme",
                                              source.identifier, remote));
  }
  remote = remote.substr(0, scheme + 3) + repository.substr(k_git.size());
  source.identifier = repository;
}

}  // namespace

std::shared_ptr<const SourcePolicy> parse_source_policy(const std::string& text, const std::string& path) {
  auto policy = std::make_shared<SourcePolicy>();
  try {
    const json document = json::parse(text, nullptr, false);
    if (document.is_discarded()) throw Error(ExitClass::usage, "it is no valid JSON");
    const Object object(document, "it", {"version", "rules"});
    if (const json* version = object.find("version"); version != nullptr && *version != 1) {
      throw Error(ExitClass::usage, fmt::format("its version {} is not understood", version->dump()));
    }
    const json* rules = object.find("rules");
    if (rules != nullptr && !rules->is_array()) throw Error(ExitClass::usage, "its rules are no list");
    for (std::size_t i = 0; rules != nullptr && i < rules->size(); ++i) {
      policy->rules.push_back(read_rule((*rules)[i], i + 1));
    }
  } catch (Error& error) {
    throw std::move(error).with_context("the source policy " + path);
  }
  return policy;
}

std::shared_ptr<const SourcePolicy> load_source_policy(const std::string& path) {
  if (path.empty()) return nullptr;
  try {
    return parse_source_policy(read_file(path), path);
  } catch (Error& error) {
    error.exit_class = ExitClass::usage;
    if (error.advice.empty()) {
      error.advice = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY names it; a build is not made without the policy it has.";
    }
    throw;
  }
}

graph::SourceOp allowed_source(const SourcePolicy& policy, graph::SourceOp asked) {
  Source source = in_words(asked);
  const bool is_git = source.identifier.starts_with(k_git);
  const Source before{is_git ? git_identifier(source) : source.identifier, attributes_of(source)};
  const Source after = evaluate(policy, before);
  if (after == before) return asked;
  if (scheme_of(after.identifier) == "local") {
    throw Error(ExitClass::usage,
                fmt::format("the source policy converts {}, which is a directory of the user's", source.identifier));
  }
  if (after.identifier != before.identifier) {
    if (is_git) {
      set_git_identifier(source, after.identifier);
    } else {
      source.identifier = after.identifier;
    }
  }
  for (const auto& [key, value] : after.attributes) {
    if (!key.starts_with(prefix_of(source.identifier))) {
      throw Error(ExitClass::usage, fmt::format("the source policy gives {} the attribute {}, which it can't have",
                                                source.identifier, key));
    }
    if (const auto known = before.attributes.find(key); known != before.attributes.end() && known->second == value) {
      continue;
    }
    source.attributes[attribute_names().at(key)] = value;
  }
  return graph::source_of(source.identifier, source.attributes);
}

void check_local_source(const SourcePolicy& policy, const std::string& name) {
  allowed_source(policy, graph::LocalSource{.name = name, .exclude = {}});
}

void apply_source_policy(const SourcePolicy& policy, graph::Graph& graph) {
  for (auto& node : graph.nodes) {
    auto* source = std::get_if<graph::SourceOp>(&node.op);
    if (source != nullptr && !graph::is_image_source(node)) *source = allowed_source(policy, std::move(*source));
  }
}

std::string policy_image(const SourcePolicy* policy, const std::string& reference) {
  if (policy == nullptr) return reference;
  const bool is_layout = reference.starts_with(k_layout);
  const Source before{is_layout ? reference : std::string(k_image) + reference, {}};
  const Source after = evaluate(*policy, before);
  if (!after.attributes.empty()) {
    throw Error(ExitClass::usage, fmt::format("the source policy gives {} the attribute {}, which an image can't have",
                                              before.identifier, after.attributes.begin()->first));
  }
  if (is_layout || after == before) return is_layout ? after.identifier : reference;
  return frontend::to_string(
      frontend::with_default_tag(frontend::parse_reference(after.identifier.substr(k_image.size()))));
}

void check_pinned_image(const SourcePolicy* policy, const std::string& reference, const Digest& digest) {
  if (policy == nullptr) return;
  const std::string name = std::string(k_image) + reference;
  const std::string pinned = reference.find('@') == std::string::npos ? name + "@" + digest : name;
  const Rule* deciding = nullptr;
  for (const auto& rule : policy->rules) {
    const bool by_name = matches(rule, name, {}), by_digest = matches(rule, pinned, {});
    if (rule.action != Action::convert && (by_name || by_digest)) deciding = &rule;
    if (rule.action == Action::convert && by_digest && !by_name && converted(rule, pinned) != pinned) {
      throw Error(ExitClass::usage,
                  fmt::format("{} converts {} by the digest that a registry gave it: name the image by its "
                              "tag, or by a digest in the Dockerfile",
                              rule.shown, pinned));
    }
  }
  if (deciding != nullptr && deciding->action == Action::deny) throw denied(pinned, deciding);
}

}  // namespace mbuild::executor
