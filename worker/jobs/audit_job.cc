#include <fcntl.h>

#include <map>

#include "base/fd.h"
#include "layers/inode.h"
#include "layers/layer_stack.h"
#include "layers/layer_walk.h"
#include "worker/jobs/jobs.h"

// What an image shows of its layers, found by looking at single paths: nothing is mounted and no directory is read.
namespace mbuild::executor::jobs {
namespace {

constexpr int k_max_links = 40;

std::string target_of(const image::StackedFile& file, bool& is_link) {
  const auto slash = file.path.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : file.path.substr(0, slash);
  const Fd parent = image::open_below(file.layer, directory, O_PATH | O_DIRECTORY);
  const auto inode = image::read_inode(parent.get(), file.path.substr(slash + 1));  // npos + 1 is 0
  is_link = inode.type == image::FileType::symlink;
  return inode.link_target.starts_with('/') ? inode.link_target : directory + "/" + inode.link_target;
}

bool exists(const std::vector<int>& layers, std::string path) {
  for (int links = 0; links < k_max_links; ++links) {
    const auto found = image::find_in_stack(layers, path);
    if (!found) return false;
    bool is_link = false;
    path = target_of(*found, is_link);
    if (!is_link) return true;
  }
  return false;
}

}  // namespace

std::vector<bool> audit_job(AuditRequest request) {
  std::vector<Fd> open;
  std::vector<int> layers, by_index;
  for (const auto& path : request.layers) {
    open.push_back(path.empty() ? Fd() : open_file(path, O_PATH | O_DIRECTORY));
    by_index.push_back(open.back().get());
    if (open.back()) layers.push_back(open.back().get());
  }
  std::map<std::string, bool> known;
  std::vector<bool> answers;
  for (const auto& question : request.questions) {
    const auto seen = image::find_in_stack(layers, question.path);
    bool holds = seen && seen->layer == by_index.at(question.layer) && "/" + seen->path == question.path;
    if (holds && !question.interpreter.empty()) {
      const auto [there, is_new] = known.try_emplace(question.interpreter, false);
      if (is_new) there->second = exists(layers, question.interpreter);
      holds = !there->second;
    }
    answers.push_back(holds);
  }
  return answers;
}

}  // namespace mbuild::executor::jobs
