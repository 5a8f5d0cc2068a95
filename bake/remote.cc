#include "bake/remote.h"

#include <fmt/format.h>

#include <functional>
#include <utility>

#include "base/error.h"
#include "base/host_variable.h"
#include "base/strings.h"
#include "executor/sources/remote_context.h"

namespace mbuild::bake {
namespace {

bool is_here(const std::string& path) { return path.starts_with(k_here); }

// Each path of the selection that is one within the definition's place.
void for_each_context(Selection& selection, const std::function<void(std::string& path)>& change) {
  for (auto& [name, target] : selection.targets) {
    auto& context = value_of<std::string>(target, Attribute::context);
    if (!is_here(context) && !is_placed(context)) change(context);
    if (pairs_of(target, Attribute::contexts).empty()) continue;
    for (auto& [context_name, path] : value_of<Pairs>(target, Attribute::contexts)) {
      if (!is_here(path) && !is_placed(path)) change(path);
    }
  }
}

}  // namespace

RemoteDefinition::RemoteDefinition(const executor::SessionRequest& session, std::string of, const Outside& outside,
                                   std::stop_token stop)
    : address(std::move(of)), directory(host_variable("TMPDIR").value_or("/tmp"), "mbuild-bake") {
  executor::TargetRequest request;
  request.context = address;
  for (const char* name : {"GIT_AUTH_TOKEN", "GIT_AUTH_HEADER"}) {
    if (auto value = outside.variable(std::string("BUILDX_BAKE_") + name))
      request.secrets.push_back({.id = name, .file = {}, .value = std::move(value)});
  }
  file = executor::fetch_context(session, request, directory.path(), std::move(stop)).dockerfile;
}

void show_remote_contexts(const std::string& address, Selection& selection) {
  for_each_context(selection, [&](std::string& path) {
    if (path == ".") path = address;
  });
}

void place_remote_contexts(const std::string& directory, Selection& selection) {
  for_each_context(selection,
                   [&](std::string& path) { path = join_path(directory, clean_path("/" + path).substr(1)); });
}

}  // namespace mbuild::bake
