#include "bake/read.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "bake/blocks.h"
#include "bake/compose/project.h"
#include "bake/compose/service.h"
#include "bake/hcl/diagnostic.h"
#include "bake/hcl/parse.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"

namespace mbuild::bake {
namespace {

constexpr std::array<const char*, 8> k_default_names = {
    "compose.yaml",     "compose.yml",     "docker-compose.yml",        "docker-compose.yaml",
    "docker-bake.json", "docker-bake.hcl", "docker-bake.override.json", "docker-bake.override.hcl"};

// A file in the order in which it counts, and where it is.
struct Named {
  std::string name;
  std::string path;
};

struct Text {
  std::string name, text;
  std::string directory;  // of the file; "": the working directory
};

std::vector<Named> placed(const std::vector<std::string>& names, const std::string& root) {
  std::vector<Named> files;
  for (const auto& name : names) {
    if (name.starts_with(k_here)) {
      files.push_back({name.substr(k_here.size()), name.substr(k_here.size())});
    } else {
      files.push_back({name, name == "-" || root.empty() ? name : join_path(root, name)});
    }
  }
  return files;
}

// BUILDX_BAKE_FILE: names with a separator between them.
std::vector<std::string> names_of_environment(const Outside& outside) {
  auto separator = outside.variable("BUILDX_BAKE_PATH_SEPARATOR").value_or("");
  if (separator.empty()) separator = ":";
  std::vector<std::string> names;
  const auto text = outside.variable("BUILDX_BAKE_FILE").value_or("");
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(separator, at), text.size());
    const auto name = trim(std::string_view(text).substr(at, end - at));
    if (!name.empty()) names.emplace_back(name);
    at = end + separator.size();
  }
  return names;
}

std::vector<Named> default_files(const std::string& root) {
  std::vector<Named> files;
  for (auto& file : placed({k_default_names.begin(), k_default_names.end()}, root)) {
    if (path_exists(file.path)) files.push_back(std::move(file));
  }
  return files;
}

Error no_definition() {
  return usage_error("couldn't find a bake definition")
      .with_advice("-f names one; without it, these are looked for: " +
                   join(std::vector<std::string>(k_default_names.begin(), k_default_names.end()), ", ") + ".");
}

std::vector<Named> files_of(const ReadRequest& request, const Outside& outside) {
  const auto names = request.files.empty() ? names_of_environment(outside) : request.files;
  if (!names.empty() && !request.with_default_files) return placed(names, request.root);
  auto files = default_files(request.root);
  if (request.with_default_files) std::ranges::move(placed(names, request.root), std::back_inserter(files));
  return files;
}

Text read_text(const Named& file, const Outside& outside) {
  if (file.path == "-") {
    if (!outside.read_input) throw usage_error("there is no standard input to read a definition from");
    return {"-", outside.read_input(), ""};
  }
  const auto directory = dir_name(file.name);
  return {file.name, read_file(file.path), directory == "." ? "" : directory};
}

// An empty file of any kind is as one that is not there.
std::vector<Text> read_texts(const ReadRequest& request, const Outside& outside) {
  std::vector<Text> texts;
  for (const auto& named : files_of(request, outside)) {
    if (auto text = read_text(named, outside); !text.text.empty()) texts.push_back(std::move(text));
  }
  if (texts.empty()) throw no_definition();
  return texts;
}

const std::vector<hcl::BlockSchema>& schema() {
  static const std::vector<hcl::BlockSchema> k_schema = {
      {"variable", 1, {{"validation", 0, {}}}}, {"function", 1, {}}, {"group", 1, {}}, {"target", 1, {}}};
  return k_schema;
}

enum class FileKind { compose, hcl, json, unknown };

FileKind kind_of(const std::string& name) {
  const auto lower = to_lower(name);
  if (lower.ends_with(".yml") || lower.ends_with(".yaml")) return FileKind::compose;
  if (name.ends_with(".json")) return FileKind::json;
  return name.ends_with(".hcl") ? FileKind::hcl : FileKind::unknown;
}

// Of a file whose name does not say what it is.
hcl::File parse_either(const Text& text) {
  const auto begin = text.text.find_first_not_of(" \t\r\n");
  if (begin != std::string::npos && text.text[begin] == '{')
    return hcl::parse_json_form(text.name, text.text, schema());
  try {
    return hcl::parse_native(text.name, text.text);
  } catch (hcl::Failure& failure) {
    throw std::move(failure).with_context(
        fmt::format("failed to parse {}: parsing yaml: no \"services\", parsing hcl", text.name));
  }
}

hcl::File parse(const Text& text, FileKind kind) {
  if (kind == FileKind::json) return hcl::parse_json_form(text.name, text.text, schema());
  return kind == FileKind::hcl ? hcl::parse_native(text.name, text.text) : parse_either(text);
}

Definition compose_definition(const std::vector<compose::ComposeFile>& files, const Outside& outside) {
  if (files.empty()) return {};
  return compose::definition_of(compose::load_project(files, outside));
}

}  // namespace

Definition read_definition(const ReadRequest& request, const Outside& outside) {
  const bool file_relative = has_file_relative_paths(outside);
  std::vector<compose::ComposeFile> compose_files;
  std::vector<DefinitionFile> files;
  for (auto& text : read_texts(request, outside)) {
    auto kind = kind_of(text.name);
    if (kind == FileKind::unknown && compose::looks_like_compose(text.text)) kind = FileKind::compose;
    if (kind == FileKind::compose) {
      const auto directory = compose_files.empty() ? text.directory : compose_files.front().directory;
      compose_files.push_back({text.name, std::move(text.text), file_relative ? directory : ""});
    } else {
      files.push_back({parse(text, kind), text.directory});
    }
  }
  return evaluate_definition(files, outside, compose_definition(compose_files, outside));
}

}  // namespace mbuild::bake
