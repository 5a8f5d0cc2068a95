#include "executor/audit_images.h"

#include <fmt/format.h>

#include "base/error.h"

namespace mbuild::executor {
namespace {

// Who writes "FROM --platform=linux/arm64" means to handle programs of that platform, whatever the target.
bool is_meant(const ExportEnvironment& environment, const emu::AuditFinding& finding) {
  for (const auto& stage : environment.dockerfile.stages) {
    const auto& platform = std::get<frontend::dockerfile::FromInstruction>(stage.from.body).platform;
    if (platform.empty() || platform.find('$') != std::string::npos) continue;
    const auto* descriptor = platforms::find_descriptor(platforms::parse_platform(platform));
    if (descriptor != nullptr && descriptor->name == finding.found_platform) return true;
  }
  return false;
}

}  // namespace

void audit_images(const ExportEnvironment& environment, const LayerBlobs& blobs) {
  const auto& request = environment.request;
  if (request.arch_check == "off") return;
  for (const auto& image : environment.lowered.images) {
    if (!image.root) continue;
    for (const auto& layer : environment.steps.result(*image.root).layers) {
      for (const auto& finding : blobs.findings(*layer, image.platform)) {
        if (emu::is_allowed(request.arch_allow, finding.path)) continue;
        const bool grave =
            finding.kind == emu::AuditFinding::Kind::foreign && !finding.compatible && !is_meant(environment, finding);
        const std::string text = emu::to_string(finding);
        if (!grave || request.arch_check == "warn") {
          environment.result.warnings.push_back({.rule = "ForeignArchitecture", .message = text});
          continue;
        }
        throw Error(ExitClass::step_failed, text)
            .with_context("image for " + platforms::to_string(image.platform))
            .with_excerpt(layer->made_by ? environment.excerpt(*layer->made_by) : "")
            .with_advice(fmt::format(
                "If it belongs there, allow it with --arch-allow='{}' or switch the check off with --arch-check=off.",
                finding.path));
      }
    }
  }
}

}  // namespace mbuild::executor
