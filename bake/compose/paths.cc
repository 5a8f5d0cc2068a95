#include "bake/compose/paths.h"

#include <functional>

#include "bake/outside.h"
#include "base/strings.h"

namespace mbuild::bake::compose {
namespace {

using Change = std::function<std::string(const std::string&)>;

void change_text(Node* path, const Change& change) {
  if (path != nullptr && path->kind == Node::Kind::scalar && !path->text.empty()) path->text = change(path->text);
}

void change_build(Node& build, const Change& change) {
  change_text(find(build, "context"), change);
  if (Node* agents = find(build, "ssh")) {
    for (auto& [id, path] : agents->members) change_text(&path, change);
  }
  Node* contexts = find(build, "additional_contexts");
  if (contexts == nullptr) return;
  for (auto& [name, path] : contexts->members) {
    if (!path.text.starts_with("service:")) change_text(&path, change);
  }
}

// A path, or a list of paths and of mappings that have one.
void change_files(Node* files, const Change& change) {
  if (files == nullptr) return;
  change_text(files, change);
  for (auto& file : files->items) change_text(file.kind == Node::Kind::map ? find(file, "path") : &file, change);
}

void change_service(Node& service, const Change& change) {
  if (Node* build = find(service, "build"); build != nullptr && build->kind == Node::Kind::map)
    change_build(*build, change);
  change_files(find(service, "env_file"), change);
}

void change_all(Node& model, const Change& change) {
  if (Node* services = find(model, "services")) {
    for (auto& [name, service] : services->members) change_service(service, change);
  }
  if (Node* secrets = find(model, "secrets")) {
    for (auto& [name, secret] : secrets->members) change_text(find(secret, "file"), change);
  }
}

}  // namespace

void place_service(Node& service, const std::string& directory) {
  change_service(service, [&](const std::string& path) { return path_from(directory, path); });
}

void place_paths(Node& model, const std::string& directory) {
  change_all(model, [&](const std::string& path) { return path_from(directory, path); });
}

void say_contexts(Node& model, const std::string& directory) {
  Node* services = find(model, "services");
  if (services == nullptr || directory.empty()) return;
  for (auto& [name, service] : services->members) {
    Node* build = find(service, "build");
    if (build != nullptr && build->kind == Node::Kind::map && find(*build, "context") == nullptr)
      member(*build, "context") = text_node(directory);
  }
}

void expand_home(Node& model, const std::string& home) {
  if (home.empty()) return;
  change_all(model, [&](const std::string& path) {
    return path == "~" || path.starts_with("~/") ? clean_path(home + path.substr(1)) : path;
  });
}

}  // namespace mbuild::bake::compose
