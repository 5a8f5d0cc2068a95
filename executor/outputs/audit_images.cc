// What the audit says of an image. Each layer was looked at alone, when it was written or unpacked; what was found in
// it counts only as far as the image shows it: a file that a later layer deletes or replaces does no harm, and an
// interpreter may be in any layer. That is asked once, and remembered in a row of the first layer with a finding.
#include "executor/outputs/audit_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/codec.h"
#include "base/error.h"
#include "base/strings.h"

namespace mbuild::executor {
namespace {

using FindingKind = emu::AuditFinding::Kind;

constexpr std::size_t k_named = 3;        // paths of a group that are named
constexpr std::size_t k_most_open = 400;  // layers looked into at once; an image with more is not asked

struct Located {
  emu::AuditFinding finding;
  std::size_t layer = 0;  // index in the snapshot
};

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

class ImageAudit {
 public:
  ImageAudit(const ExportEnvironment& environment, const LayerBlobs& blobs, const frontend::LoweredImage& image,
             std::stop_token stop)
      : environment_(environment),
        blobs_(blobs),
        image_(image),
        snapshot_(environment.steps.result(*image.root)),
        stop_(std::move(stop)) {}

  void run() {
    collect();
    keep_what_shows();
    std::erase_if(found_, [&](const Located& found) {
      return emu::is_allowed(environment_.request.arch_allow, found.finding.path);
    });
    // Alike findings of one layer are one message.
    std::map<std::tuple<std::size_t, FindingKind, std::string>, std::vector<Located>> groups;
    for (auto& found : found_) groups[{found.layer, found.finding.kind, found.finding.found}].push_back(found);
    std::vector<const std::vector<Located>*> grave;
    for (const auto& [key, group] : groups) is_grave(group.front()) ? grave.push_back(&group) : warn(group);
    if (!grave.empty()) refuse(grave);
  }

 private:
  const SnapshotLayer& layer_of(const Located& found) const { return *snapshot_.layers[found.layer]; }

  void collect() {
    for (std::size_t i = 0; i < snapshot_.layers.size(); ++i) {
      const auto* directory = environment_.steps.parts().fetcher.find(snapshot_, i);
      directories_.push_back(directory == nullptr ? "" : environment_.store.layer_path(directory->id));
      if (directory == nullptr) continue;
      for (auto& finding : blobs_.findings(directory->id, image_.platform)) found_.push_back({std::move(finding), i});
    }
    // In the layers of a base image that nobody unpacked there may be any interpreter. Scripts that a RUN brings are
    // mostly those of packages, for programs that were left out on purpose.
    const bool complete = std::ranges::find(directories_, "") == directories_.end();
    std::erase_if(found_, [&](const Located& found) {
      if (found.finding.kind != FindingKind::interpreter) return false;
      return !complete || layer_of(found).pulled || (found.finding.file_kind == "script" && !was_copied(found));
    });
  }

  bool was_copied(const Located& found) const {
    const auto& maker = layer_of(found).made_by;
    return maker && std::holds_alternative<graph::FileOp>(environment_.graph.nodes[*maker].op);
  }

  void keep_what_shows() {
    if (found_.empty() || directories_.size() > k_most_open) return;
    Sha256 hash;
    hash.field(snapshot_.digest);
    jobs::AuditRequest request{.layers = {directories_.rbegin(), directories_.rend()}, .questions = {}};
    for (const auto& [finding, layer] : found_) {
      const bool is_need = finding.kind == FindingKind::interpreter;
      request.questions.push_back({finding.path, directories_.size() - 1 - layer, is_need ? finding.found : ""});
    }
    hash.field(encode(request));
    const std::string& row = layer_of(found_.front()).id;
    const std::string name = fmt::format("{} {}", platforms::to_string(image_.platform), hash.digest());
    std::vector<bool> shows;
    if (const auto known = environment_.store.find_audit(row, name)) {
      for (const char answer : *known) shows.push_back(answer == '1');
    } else {
      shows = jobs::audit(environment_.inner.get(), request, stop_);
      std::string text;
      for (const bool answer : shows) text += answer ? '1' : '0';
      environment_.store.add_audit(row, name, text);
    }
    std::vector<Located> kept;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      if (shows.at(i)) kept.push_back(std::move(found_[i]));
    }
    found_ = std::move(kept);
  }

  bool is_grave(const Located& found) const {
    if (environment_.request.arch_check == "warn" || layer_of(found).pulled) return false;
    return found.finding.kind == FindingKind::foreign && !found.finding.compatible &&
           !is_meant(environment_, found.finding);
  }

  std::string text_of(const std::vector<Located>& group, bool with_line) const {
    std::string text = emu::to_string(group.front().finding);
    std::vector<std::string> others;
    for (std::size_t i = 1; i < std::min(group.size(), k_named); ++i) others.push_back(group[i].finding.path);
    if (group.size() > k_named) others.push_back(fmt::format("{} more", group.size() - k_named));
    if (!others.empty()) text += fmt::format("; likewise {}", join(others, ", "));
    const auto& layer = layer_of(group.front());
    const auto* info = maker(group);
    const auto line = with_line && info != nullptr ? fmt::format("{}:{}, ", info->file, info->first_line) : "";
    const std::string_view origin = layer.pulled ? ", of the base image" : "";
    return text + fmt::format(" ({}layer {}{})", line, blobs_.of(layer).descriptor.digest, origin);
  }

  const graph::NodeInfo* maker(const std::vector<Located>& group) const {
    const auto& layer = layer_of(group.front());
    return layer.made_by ? &graph::info_for(environment_.graph, *layer.made_by, environment_.number) : nullptr;
  }

  void warn(const std::vector<Located>& group) {
    frontend::dockerfile::Warning warning{.rule = "ForeignArchitecture", .message = text_of(group, false)};
    if (group.front().finding.kind == FindingKind::interpreter) warning.rule = "MissingInterpreter";
    if (const auto* info = maker(group)) warning.range = {info->first_line, info->last_line};
    environment_.result.warnings.push_back(std::move(warning));
  }

  [[noreturn]] void refuse(const std::vector<const std::vector<Located>*>& groups) const {
    std::string text;
    for (const auto* group : groups) text += (text.empty() ? "" : "\n") + text_of(*group, true);
    const auto& first = groups.front()->front();
    const auto& made_by = layer_of(first).made_by;
    throw Error(ExitClass::step_failed, text)
        .with_context("image for " + platforms::to_string(image_.platform))
        .with_excerpt(made_by ? environment_.excerpt(*made_by) : "")
        .with_advice(fmt::format(
            "If it belongs there, allow it with --arch-allow='{}' or switch the check off with --arch-check=off.",
            first.finding.path));
  }

  const ExportEnvironment& environment_;
  const LayerBlobs& blobs_;
  const frontend::LoweredImage& image_;
  const Snapshot& snapshot_;
  std::stop_token stop_;
  std::vector<std::string> directories_;  // of the layers, "" where there is none
  std::vector<Located> found_;
};

}  // namespace

void audit_images(const ExportEnvironment& environment, const LayerBlobs& blobs, std::stop_token stop) {
  if (environment.request.arch_check == "off") return;
  for (const auto& image : environment.lowered.images) {
    if (image.root) ImageAudit(environment, blobs, image, stop).run();
  }
}

}  // namespace mbuild::executor
