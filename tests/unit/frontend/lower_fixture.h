#pragma once

#include <map>
#include <string>
#include <vector>

#include "frontend/frontend.h"

// A build of a Dockerfile text without registry or disk: images and ignore files are what the test says.
namespace mbuild::frontend::testing {

struct Build {
  explicit Build(const std::string& text);

  Request request;
  // Base images by normalised reference ("docker.io/library/base:latest"); `base` is there from the start, with one
  // layer, PATH and a CMD.
  std::map<std::string, ImageConfig> images;
  std::map<std::string, std::string> ignore_files;  // by context
  std::vector<std::vector<std::string>> rounds;     // what resolve() was asked

  Build& platforms(const std::vector<std::string>& names);
  Lowered lower();
  CheckResult check();
  // The message and the excerpt of the Error that lower() throws; "" when it throws none.
  std::string failure();

 private:
  void connect();
};

ImageConfig simple_image();

const graph::Node& root_node(const Lowered& lowered, std::size_t image = 0);
// The nodes from the image's root down its first inputs, the root last.
std::vector<const graph::Node*> chain(const Lowered& lowered, std::size_t image = 0);
const graph::ExecOp& exec(const graph::Node& node);
const graph::FileOp& file(const graph::Node& node);
struct SourceWords {
  std::string identifier;
  graph::SourceAttributes attributes;
};
SourceWords source(const graph::Node& node);
// The node's first name.
std::string name_of(const Lowered& lowered, const graph::Node& node);
std::vector<std::string> names(const Lowered& lowered);
// "created_by", with "*" in front for an empty layer; entries of the base left out.
std::vector<std::string> history(const Lowered& lowered, std::size_t image = 0);
// "Rule:line".
std::vector<std::string> hits(const std::vector<dockerfile::Warning>& warnings);

using Strings = std::vector<std::string>;

}  // namespace mbuild::frontend::testing
