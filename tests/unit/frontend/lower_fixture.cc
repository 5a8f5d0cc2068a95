#include "tests/unit/frontend/lower_fixture.h"

namespace mbuild::frontend::testing {

ImageConfig simple_image() {
  ImageConfig config;
  config.platform = {"linux", "amd64", "", ""};
  config.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  config.cmd = Strings{"/bin/sh"};
  config.diff_ids = {"sha256:" + std::string(64, 'a')};
  config.history = {{"2020-01-01T00:00:00Z", "base rootfs", "", "", false}};
  return config;
}

Build::Build(const std::string& text) {
  request.dockerfile = dockerfile::parse_dockerfile(text, "Dockerfile");
  request.build_platform = platforms::parse_platform("linux/amd64");
  request.platforms = {request.build_platform};
  images["docker.io/library/base:latest"] = simple_image();
}

Build& Build::platforms(const std::vector<std::string>& names) {
  request.platforms.clear();
  for (const std::string& name : names) request.platforms.push_back(platforms::parse_platform(name));
  request.multi_platform = names.size() > 1;
  return *this;
}

void Build::connect() {
  request.resolve = [this](const std::vector<ImageQuery>& queries) {
    std::vector<ResolvedImage> answers;
    rounds.emplace_back();
    for (const ImageQuery& query : queries) {
      rounds.back().push_back(query.reference + " " + platforms::to_string(query.platform));
      const auto image = images.find(query.reference);
      if (image == images.end())
        throw ImageUnavailable(query, Error(ExitClass::network, query.reference + ": not found"));
      ImageConfig config = image->second;
      if (config.platform.arch == "amd64") config.platform = query.platform;
      for (std::string& layer : config.diff_ids) layer += query.platform.arch;
      answers.push_back({query.reference + "@sha256:" + query.platform.arch, std::move(config)});
    }
    return answers;
  };
  request.read_file = [this](const std::string& context, const std::string&) -> std::optional<std::string> {
    const auto file = ignore_files.find(context);
    if (file == ignore_files.end()) return std::nullopt;
    return file->second;
  };
}

Lowered Build::lower() {
  connect();
  return frontend::lower(request);
}

CheckResult Build::check() {
  connect();
  return frontend::check(request);
}

std::string Build::failure() {
  try {
    lower();
  } catch (const Error& error) {
    return std::string(error.what()) + "\n" + error.excerpt;
  }
  return "";
}

const graph::Node& root_node(const Lowered& lowered, std::size_t image) {
  return lowered.graph.nodes.at(lowered.images.at(image).root.value().node);
}

std::vector<const graph::Node*> chain(const Lowered& lowered, std::size_t image) {
  std::vector<const graph::Node*> nodes;
  const graph::Node* node = &root_node(lowered, image);
  for (;;) {
    nodes.insert(nodes.begin(), node);
    if (node->inputs.empty()) return nodes;
    node = &lowered.graph.nodes.at(node->inputs.front().node);
  }
}

const graph::ExecOp& exec(const graph::Node& node) { return std::get<graph::ExecOp>(node.op); }
const graph::FileOp& file(const graph::Node& node) { return std::get<graph::FileOp>(node.op); }
SourceWords source(const graph::Node& node) {
  const auto& op = std::get<graph::SourceOp>(node.op);
  return {graph::identifier_of(op), graph::source_attributes(op)};
}

std::string name_of(const Lowered& lowered, const graph::Node& node) {
  const auto index = static_cast<std::size_t>(&node - lowered.graph.nodes.data());
  return lowered.graph.info.at(index).front().name;
}

std::vector<std::string> names(const Lowered& lowered) {
  Strings names;
  for (const auto& infos : lowered.graph.info) names.push_back(infos.front().name);
  return names;
}

std::vector<std::string> history(const Lowered& lowered, std::size_t image) {
  Strings lines;
  for (const HistoryEntry& entry : lowered.images.at(image).config.history) {
    if (entry.comment.empty()) continue;
    lines.push_back((entry.empty_layer ? "*" : "") + entry.created_by);
  }
  return lines;
}

std::vector<std::string> hits(const std::vector<dockerfile::Warning>& warnings) {
  Strings lines;
  for (const auto& warning : warnings) lines.push_back(warning.rule + ":" + std::to_string(warning.range.first));
  return lines;
}

}  // namespace mbuild::frontend::testing
