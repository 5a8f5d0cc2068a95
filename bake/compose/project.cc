#include "bake/compose/project.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "bake/compose/dotenv.h"
#include "bake/compose/merge.h"
#include "bake/compose/paths.h"
#include "bake/compose/shape.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"

namespace mbuild::bake::compose {
namespace {

void interpolate_all(Node& node, const Lookup& lookup) {
  if (node.kind == Node::Kind::scalar && node.text.find('$') != std::string::npos)
    node.text = interpolate(node.text, lookup);
  for (auto& item : node.items) interpolate_all(item, lookup);
  for (auto& [key, value] : node.members) interpolate_all(value, lookup);
}

// A text, a list of texts, or a mapping with such a member.
std::vector<std::string> texts_of(const Node& node, std::string_view key) {
  if (node.kind == Node::Kind::scalar) return {node.text};
  std::vector<std::string> texts;
  for (const auto& item : node.items) {
    for (auto& text : texts_of(item, key)) texts.push_back(std::move(text));
  }
  if (const auto* inner = find(node, key)) return texts_of(*inner, key);
  return texts;
}

std::string below(const std::string& directory, const std::string& path) {
  return directory.empty() || path.starts_with('/') ? path : join_path(directory, path);
}

using Variables = std::map<std::string, std::string>;

std::optional<std::string> value_in(const Lookup& above, const Variables& variables, const std::string& name) {
  auto value = above(name);
  if (const auto found = variables.find(name); !value && found != variables.end()) value = found->second;
  return value;
}

// What `above` does not know is looked for in the files, the last one first.
Lookup with_files(const Lookup& above, const std::vector<std::string>& files) {
  Variables variables;
  for (const auto& file : files) {
    const Lookup known = [&](const std::string& name) { return value_in(above, variables, name); };
    for (auto& [name, value] : parse_dotenv(file, read_file(file), known)) variables[name] = value;
  }
  return [above, variables](const std::string& name) { return value_in(above, variables, name); };
}

// The file .env of a directory, if there is one.
std::vector<std::string> env_file_of(const std::string& directory) {
  const auto path = directory.empty() ? ".env" : join_path(directory, ".env");
  std::error_code ignored;
  if (!path_exists(path) || std::filesystem::is_directory(path, ignored)) return {};
  return {path};
}

class Loader {
 public:
  Loader(Lookup variable, std::string home) : variable_(std::move(variable)), home_(std::move(home)) {}

  Node load(const ComposeFile& file) {
    if (!under_way_.insert(file.name).second) throw usage_error(fmt::format("{} includes itself", file.name));
    Node model = prepared(file);
    Node whole;
    whole.kind = Node::Kind::map;
    if (const auto* included = find(model, "include")) whole = load_included(*included, file);
    extend_services(model, file);
    place_paths(model, file.directory);
    under_way_.erase(file.name);
    merge(whole, std::move(model));
    return whole;
  }

 private:
  // The file's own tree, in the one form that merging needs; of its documents each is laid over those before it.
  Node prepared(const ComposeFile& file) {
    auto documents = parse_yaml_documents(file.name, file.text);
    if (documents.empty()) documents.emplace_back();
    Node whole = prepared(file, std::move(documents.front()));
    for (std::size_t i = 1; i < documents.size(); ++i) merge(whole, prepared(file, std::move(documents[i])));
    return whole;
  }

  Node prepared(const ComposeFile& file, Node model) {
    if (model.kind == Node::Kind::null) model.kind = Node::Kind::map;
    if (model.kind != Node::Kind::map)
      throw usage_error(fmt::format("parsing {}: yaml: top level is {}, not a mapping", file.name, kind_name(model)));
    if (const auto* name = find(model, "name"); name != nullptr && name->kind == Node::Kind::scalar)
      project_ = interpolate(name->text, variable_);
    try {
      interpolate_all(model, [this](const std::string& name) { return value_of(name); });
      normalise(model);
      expand_home(model, home_);
    } catch (Error& error) {
      throw std::move(error).with_context(file.name);
    }
    return model;
  }

  std::optional<std::string> value_of(const std::string& name) const {
    if (name == "COMPOSE_PROJECT_NAME" && project_) return project_;
    auto value = variable_(name);
    if (!value && name == "COMPOSE_PROJECT_NAME") value = "bake";
    return value;
  }

  // What is included first goes over what comes later, and the file itself over all.
  Node load_included(const Node& include, const ComposeFile& from) {
    if (include.kind != Node::Kind::list && include.kind != Node::Kind::null)
      throw usage_error(fmt::format("{}: include is {}, not a list", from.name, kind_name(include)));
    Node whole;
    whole.kind = Node::Kind::map;
    for (const auto& item : include.items) {
      Node project = load_project_of(item, from);
      merge(project, std::move(whole));
      whole = std::move(project);
    }
    return whole;
  }

  // An include of several files: they are one project, with the directory of the first and variables of its own.
  Node load_project_of(const Node& item, const ComposeFile& from) {
    auto paths = texts_of(item, "path");
    if (paths.empty()) throw usage_error(fmt::format("{}: an include has no path", from.name));
    for (auto& path : paths) path = below(from.directory, path);
    const auto* named = find(item, "project_directory");
    const auto directory = named == nullptr ? dir_name(paths.front()) : below(from.directory, named->text);
    std::vector<std::string> env_files;
    if (const auto* node = find(item, "env_file")) env_files = texts_of(*node, "path");
    for (auto& path : env_files) path = below(from.directory, path);
    if (env_files.empty()) env_files = env_file_of(directory);
    const auto outer = std::exchange(variable_, with_files(variable_, env_files));
    Node whole;
    whole.kind = Node::Kind::map;
    for (const auto& path : paths) merge(whole, load({path, read_file(path), directory}));
    variable_ = outer;
    say_contexts(whole, directory);
    return whole;
  }

  void extend_services(Node& model, const ComposeFile& file) {
    if (find(model, "services") == nullptr) return;
    auto& services = member(model, "services");
    std::set<std::string> under_way;
    for (std::size_t i = 0; i < services.members.size(); ++i)
      extend(services, services.members[i].key, file, under_way);
  }

  void extend(Node& services, const std::string& name, const ComposeFile& file, std::set<std::string>& under_way) {
    Node service = *find(services, name);
    const auto* extends = find(service, "extends");
    if (extends == nullptr) return;
    if (!under_way.insert(name).second)
      throw usage_error(fmt::format("{}: services.{} extends itself", file.name, name));
    Node base = base_service(services, *extends, name, file, under_way);
    std::erase_if(service.members, [](const auto& one) { return one.key == "extends"; });
    merge(base, std::move(service));
    member(services, name) = std::move(base);
    under_way.erase(name);
  }

  Node base_service(Node& services, const Node& extends, const std::string& name, const ComposeFile& file,
                    std::set<std::string>& under_way) {
    const auto* named = extends.kind == Node::Kind::scalar ? &extends : find(extends, "service");
    const std::string base = named == nullptr ? "" : named->text;
    const auto* path = find(extends, "file");
    Node found;
    if (path == nullptr) {
      if (find(services, base) == nullptr) throw no_service(file.name, name, base);
      extend(services, base, file, under_way);
      found = *find(services, base);
    } else {
      found = service_of_file(*path, name, base, file);
    }
    std::erase_if(found.members, [](const auto& one) { return one.key == "extends"; });
    return found;
  }

  // Its paths are relative to its own file, and are written as this one's.
  Node service_of_file(const Node& path, const std::string& name, const std::string& base, const ComposeFile& from) {
    const auto other = below(dir_name(from.name) == "." ? "" : dir_name(from.name), path.text);
    const ComposeFile file{other, read_file(other), ""};
    Node model = prepared(file);
    extend_services(model, file);
    const auto* services = find(model, "services");
    const auto* service = services == nullptr ? nullptr : find(*services, base);
    if (service == nullptr) throw no_service(other, name, base);
    Node found = *service;
    if (const auto directory = dir_name(path.text); directory != ".") place_service(found, directory);
    return found;
  }

  static Error no_service(const std::string& file, const std::string& name, const std::string& base) {
    return usage_error(fmt::format("{}: service \"{}\" extends \"{}\", which is not defined", file, name, base));
  }

  Lookup variable_;  // of the file that is read
  std::string home_;
  std::optional<std::string> project_;  // what a file says
  std::set<std::string> under_way_;
};

// --var and the environment go before the file .env of the working directory.
Lookup lookup_of(const Outside& outside) {
  return with_files([&outside](const std::string& name) { return override_of(outside, name); }, env_file_of(""));
}

}  // namespace

Project load_project(const std::vector<ComposeFile>& files, const Outside& outside) {
  Project project;
  project.variable = lookup_of(outside);
  Node whole;
  whole.kind = Node::Kind::map;
  Loader loader(project.variable, outside.home);
  for (const auto& file : files) {
    auto model = loader.load(file);
    if (find(model, "services") == nullptr && find(model, "secrets") == nullptr)
      throw usage_error(fmt::format("{}: empty compose file", file.name))
          .with_advice("A compose file has its services below \"services\".");
    merge(whole, std::move(model));
  }
  if (!files.empty()) say_contexts(whole, files.front().directory);
  project.services = std::move(member(whole, "services"));
  project.secrets = std::move(member(whole, "secrets"));
  return project;
}

bool looks_like_compose(const std::string& text) {
  try {
    const auto model = parse_yaml("", text);
    const auto* services = find(model, "services");
    return services != nullptr && services->kind == Node::Kind::map;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace mbuild::bake::compose
