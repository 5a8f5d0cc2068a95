#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "base/strings.h"
#include "frontend/lower/state.h"
#include "graph/git_ref.h"
#include "oci/reference.h"

// Build contexts: the main one and those of --build-context. A named context stands in for a stage or an image of its
// name wherever FROM, COPY --from or a mount asks for it. Names are compared as image references are, so that "alpine",
// "alpine:latest" and "docker.io/library/alpine" are one; "NAME::PLATFORM" goes before "NAME".
namespace mbuild::frontend::lowering {
namespace {

constexpr std::string_view k_latest = ":latest", k_target = "target:";
constexpr std::string_view k_main = "context";  // a name that no --build-context can take

std::string context_key(const Reference& reference) {
  std::string key = familiar_string(reference);
  if (key.ends_with(k_latest)) key.resize(key.size() - k_latest.size());
  return key;
}

// "NAME:*[::PLATFORM]" for all tags of an image that have no context of their own.
bool is_pattern(std::string_view name) { return name.find('*') != std::string_view::npos; }

std::string replace_stars(std::string_view text, std::string_view tag) {
  std::string out;
  for (const char c : text) c == '*' ? out += tag : out += c;
  return out;
}

// The pattern's name with this tag in the place of the star.
std::string name_of_pattern(const std::string& name, std::string_view tag) {
  const std::size_t separator = name.find("::");
  const std::string_view image = std::string_view(name).substr(0, separator);
  if (std::ranges::count(name, '*') != 1 || !image.ends_with(":*")) {
    throw usage_error(fmt::format("invalid context name {}: * is in the wrong place", name))
        .with_advice("* stands for a whole tag, once: --build-context 'NAME:*=oci-layout://DIR:*'");
  }
  return replace_stars(name, tag);
}

std::string given_key(const std::string& name) {
  const std::size_t separator = name.find("::");
  try {
    std::string key = context_key(parse_reference(name.substr(0, separator)));
    if (separator != std::string::npos) {
      key += "::" + platforms::to_string(platforms::parse_platform(name.substr(separator + 2)));
    }
    return key;
  } catch (Error& error) {
    throw std::move(error).with_context("invalid context name " + name);
  }
}

Error unsupported(const std::string& name, const std::string& value) {
  return usage_error(fmt::format("unsupported context source {} for {}", value.substr(0, value.find(':')), name));
}

// `linked`: there are other targets.
NamedContext parse_context(const std::string& name, const std::string& value, bool linked) {
  NamedContext context{name, ContextKind::local, value};
  const auto after = [&](std::string_view prefix) { return std::string_view(value).substr(prefix.size()); };
  if (value.starts_with("docker-image://")) {
    const std::string_view reference = after("docker-image://");
    context.kind = reference == "scratch" ? ContextKind::scratch : ContextKind::image;
    if (context.kind == ContextKind::image) context.value = to_string(with_default_tag(parse_reference(reference)));
  } else if (value.starts_with("oci-layout://")) {
    context.kind = ContextKind::oci_layout;
  } else if (value.starts_with(k_target) && linked) {
    context.kind = ContextKind::target;
    context.value = after(k_target);
  } else if (value.starts_with(k_target) || value.starts_with("input:")) {
    throw unsupported(name, value)
        .with_advice(
            "\"target:\" contexts link the targets of one bake file; name an image, a layout or a directory here");
  } else if (parse_git_ref(value)) {
    context.kind = ContextKind::git;
  } else if (graph::is_http_address(value)) {
    context.kind = ContextKind::http;
  } else if (value.find("://") != std::string::npos) {
    throw unsupported(name, value)
        .with_advice("Contexts are directories, docker-image://, oci-layout://, git, http:// and https:// addresses.");
  }
  return context;
}

// What a pattern becomes with a tag: a directory is known by the name that was given.
NamedContext context_of_pattern(const std::string& name, const std::string& value, std::string_view tag) {
  NamedContext context = parse_context(name, replace_stars(value, tag), false);
  if (context.kind == ContextKind::local && is_pattern(value)) {
    throw usage_error(fmt::format("invalid context value {} for {}: * is in a directory's name", value, name))
        .with_advice("on the right, * can be used in docker-image://, oci-layout:// and addresses");
  }
  return context;
}

void check_pattern(const std::string& name, const std::string& value) {
  given_key(name_of_pattern(name, "latest"));
  context_of_pattern(name, value, "latest");
}

std::vector<std::string> read_ignore_file(const Request& request, const std::string& context) {
  if (!request.read_file) return {};
  const auto text = request.read_file(context, ".dockerignore");
  if (!text) return {};
  try {
    return parse_dockerignore(*text);
  } catch (Error& error) {
    throw std::move(error).with_context("failed parsing .dockerignore");
  }
}

graph::Ref add_source(Lowering& lowering, graph::SourceOp source, std::string name) {
  graph::NodeInfo info;
  info.instruction = name;
  info.name = std::move(name);
  return add_node(lowering, graph::Node{std::move(source), {}, std::nullopt}, std::move(info));
}

graph::Ref add_local_context(Lowering& lowering, const std::string& context, const std::vector<std::string>& patterns,
                             std::string name) {
  const auto& directory_of = lowering.shared.request.directory_of;
  graph::LocalSource source{.name = context, .exclude = patterns};
  if (directory_of) source.directory = directory_of(context);
  return add_source(lowering, std::move(source), std::move(name));
}

void read_main_ignore_file(Shared& shared) {
  if (shared.ignore_read) return;
  shared.ignore_read = true;
  shared.ignore_patterns = read_ignore_file(shared.request, std::string(k_main));
  if (!shared.ignore_patterns.empty()) shared.ignore_matcher = std::make_unique<IgnoreMatcher>(shared.ignore_patterns);
}

}  // namespace

void read_contexts(Shared& shared) {
  for (const auto& [name, value] : shared.request.contexts) {
    try {
      if (is_pattern(name)) {
        check_pattern(name, value);
        continue;
      }
      shared.contexts.insert_or_assign(given_key(name), parse_context(name, value, bool(shared.request.linked)));
    } catch (Error& error) {
      if (!error.advice.empty()) throw;
      throw std::move(error).with_advice("a named context is given as --build-context NAME=VALUE");
    }
  }
}

namespace {

// Exact names go before patterns, later patterns before earlier ones. A name without a tag is a stage's.
const NamedContext* find_by_pattern(Shared& shared, const std::string& key, const Reference& reference,
                                    const std::string& platform) {
  if (reference.tag.empty() || !reference.digest.empty()) return nullptr;
  for (const std::string& wanted : {key + "::" + platform, key}) {
    for (const auto& [name, value] : shared.request.contexts | std::views::reverse) {
      if (!is_pattern(name) || given_key(name_of_pattern(name, reference.tag)) != wanted) continue;
      return &shared.contexts.insert_or_assign(key + "::" + platform, context_of_pattern(name, value, reference.tag))
                  .first->second;
    }
  }
  return nullptr;
}

}  // namespace

const NamedContext* find_context(Shared& shared, std::string_view name, const platforms::Platform& platform) {
  if (shared.request.contexts.empty() || iequals(name, "scratch") || iequals(name, "context")) return nullptr;
  Reference reference;
  try {
    reference = parse_reference(name);
  } catch (const Error&) {
    return nullptr;  // no context can have this name
  }
  const std::string key = context_key(reference);
  const std::string platform_name = platforms::to_string(platform);
  auto found = shared.contexts.find(key + "::" + platform_name);
  if (found == shared.contexts.end()) found = shared.contexts.find(key);
  return found == shared.contexts.end() ? find_by_pattern(shared, key, reference, platform_name) : &found->second;
}

graph::Ref main_context(Lowering& lowering) {
  Shared& shared = lowering.shared;
  const std::pair key(ContextKind::local, std::string(k_main));
  if (const auto known = shared.trees.find(key); known != shared.trees.end()) return known->second;
  read_main_ignore_file(shared);
  const std::string& label = shared.request.label;
  const graph::Ref ref = add_local_context(lowering, std::string(k_main), shared.ignore_patterns,
                                           (label.empty() ? "[" : "[" + label + " ") + "internal] load build context");
  shared.trees.emplace(key, ref);
  return ref;
}

graph::Ref context_tree(Lowering& lowering, const NamedContext& context) {
  Shared& shared = lowering.shared;
  const bool local = context.kind == ContextKind::local;
  const std::pair key(context.kind, local ? context.name : context.value);
  if (const auto known = shared.trees.find(key); known != shared.trees.end()) return known->second;
  const std::string prefix = "[context " + context.name + "] ";
  graph::Ref ref;
  if (local) {
    ref = add_local_context(lowering, context.name, read_ignore_file(shared.request, context.name),
                            prefix + "load from client");
  } else if (context.kind == ContextKind::git) {
    ref = add_source(lowering, git_source(*parse_git_ref(context.value)), prefix + context.value);
  } else {
    ref =
        add_source(lowering, graph::HttpSource{.url = context.value, .filename = graph::http_file_name(context.value)},
                   prefix + context.value);
  }
  shared.trees.emplace(key, ref);
  return ref;
}

const IgnoreMatcher* main_ignore_matcher(Shared& shared) {
  read_main_ignore_file(shared);
  return shared.ignore_matcher.get();
}

}  // namespace mbuild::frontend::lowering
