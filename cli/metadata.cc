#include "cli/metadata.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/fd.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "cli/display/json_text.h"
#include "oci/manifest.h"

namespace mbuild::cli {
namespace {

using nlohmann::ordered_json;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && (std::string_view(value) == "1" || iequals(value, "true"));
}

ordered_json warnings_json(const executor::BuildResult& result, const std::string& dockerfile) {
  auto list = ordered_json::array();
  for (const auto& warning : result.warnings) {
    ordered_json entry = {{"rule", warning.rule}, {"message", warning.message}};
    if (!warning.description.empty()) entry["description"] = warning.description;
    if (!warning.url.empty()) entry["url"] = warning.url;
    if (warning.range.first > 0) {
      entry["filename"] = dockerfile;
      entry["range"] = {{{"start", {{"line", warning.range.first}}}, {"end", {{"line", warning.range.last}}}}};
    }
    list.push_back(std::move(entry));
  }
  return list;
}

// Arguments may be confidential: only their digest is written.
Digest arguments_digest(const executor::TargetRequest& request) {
  Sha256 sha;
  for (const auto& [name, value] : request.build_args) {
    sha.field(name);
    sha.field(value);
  }
  return sha.digest();
}

ordered_json inputs_json(const executor::TargetRequest& request, const executor::BuildResult& result) {
  ordered_json inputs = {{"buildArgs", arguments_digest(request)}, {"target", request.target}};
  if (!result.dockerfile.empty()) inputs["dockerfile"] = result.dockerfile;
  if (path_exists(request.context) && !find_program("git").empty()) {
    const auto git = run_program({"git", "-C", request.context, "rev-parse", "HEAD"});
    if (git.status == 0) inputs["revision"] = std::string(trim(git.output));
  }
  return inputs;
}

// Without the warnings.
ordered_json result_json(const executor::BuildResult& result, const executor::TargetRequest* request) {
  ordered_json json = ordered_json::object();
  if (!result.descriptor.digest.empty()) {
    if (result.images.size() == 1) json["containerimage.config.digest"] = result.images.front().config;
    json["containerimage.descriptor"] = ordered_json::parse(image::serialise_descriptor(result.descriptor));
    json["containerimage.digest"] = result.descriptor.digest;
  }
  if (request != nullptr) json[k_inputs_key] = inputs_json(*request, result);
  if (!result.names.empty()) json["image.name"] = join(result.names, ",");
  return json;
}

std::string text_of(const ordered_json& json) { return json_text(json) + "\n"; }

}  // namespace

std::string metadata_json(const executor::BuildResult& result, const std::string& dockerfile,
                          const executor::TargetRequest* request) {
  ordered_json json = ordered_json::object();
  if (is_set("BUILDX_METADATA_WARNINGS")) json["buildx.build.warnings"] = warnings_json(result, dockerfile);
  json.update(result_json(result, request));
  return text_of(json);
}

std::string metadata_json(const std::vector<TargetResult>& results) {
  ordered_json json = ordered_json::object();
  auto warnings = ordered_json::array();
  for (const auto& [request, result] : results) {
    if (result.error) continue;
    const auto& file = request.dockerfile;
    for (auto& warning : warnings_json(result, file.empty() ? "Dockerfile" : base_name(file)))
      warnings.push_back(std::move(warning));
    json[request.name] = result_json(result, &request);
  }
  if (is_set("BUILDX_METADATA_WARNINGS")) json["buildx.build.warnings"] = std::move(warnings);
  return text_of(json);
}

}  // namespace mbuild::cli
