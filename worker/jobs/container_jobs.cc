#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "files/root_path.h"
#include "layers/inode.h"
#include "layers/layer_walk.h"
#include "worker/jobs/work_directory.h"
#include "worker/snapshot/snapshot_mount.h"

// What is asked of a container from outside, by what it stands on and what it has written.
namespace mbuild::executor::jobs {
namespace {

constexpr const char* k_upper = "upper";

// Compares what was written with what was there before.
class Changes {
 public:
  Changes(int upper, int lower) : upper_(upper), lower_(lower) {}

  std::vector<std::string> find() {
    below("", false);
    return std::move(out_);
  }

 private:
  void note(char kind, const std::string& path) { out_.push_back(std::string(1, kind) + " /" + path); }

  // `is_new`: nothing of the directory was there before.
  void below(const std::string& directory, bool is_new) {
    const Fd at = open_resolved(upper_, directory, O_RDONLY | O_DIRECTORY);
    auto names = image::names_in_directory(at.get());
    std::ranges::sort(names);
    for (const auto& name : names) {
      const std::string path = join_resolved(directory, name);
      const auto inode = image::read_inode(at.get(), name);
      const Fd before = is_new ? Fd() : try_open_resolved(lower_, path, O_PATH);
      if (inode.type == image::FileType::whiteout) {
        if (before) note('D', path);
        continue;
      }
      const bool is_directory = inode.type == image::FileType::directory;
      if (is_directory && !before && is_mount_point(at, path)) continue;
      note(before ? 'C' : 'A', path);
      if (is_directory) below(path, is_new || !before || inode.opaque);
    }
  }

  // The empty directories that every container gets.
  static bool is_mount_point(const Fd& directory, const std::string& path) {
    if (path != "dev" && path != "proc" && path != "sys") return false;
    const Fd inside(::openat(directory.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return inside && image::names_in_directory(inside.get()).empty();
  }

  int upper_, lower_;
  std::vector<std::string> out_;
};

}  // namespace

std::string keep_upper(const std::string& work) {
  bool there = false;
  for (const auto& entry : std::filesystem::directory_iterator(work)) {
    if (entry.path().filename() == k_upper) {
      there = true;
    } else {
      std::filesystem::remove_all(entry.path());
    }
  }
  return there ? work + "/" + k_upper : make_work_directory(work, k_upper);
}

FileReply resting_files_job(RestingFilesRequest request) {
  if (const auto& volume = request.volume) {
    const Fd directory = volume->tree ? open_root(volume->tree) : open_file(volume->source, O_RDONLY | O_DIRECTORY);
    return serve_files(directory.get(), request.order);
  }
  const std::string upper = keep_upper(request.work);
  const std::string work = make_work_directory(request.work, "work");
  const std::string scratch = make_scratch(request.work);
  const Fd root = open_root(mount_snapshot_writable(request.stack, {}, scratch, upper, work));
  return serve_files(root.get(), request.order);
}

std::vector<std::string> changes_job(ChangesRequest request) {
  const std::string scratch = make_scratch(request.work);
  const int lower = readable_root(request.stack, scratch + "/snapshot", request.work);
  const Fd upper = open_file(request.upper, O_RDONLY | O_DIRECTORY);
  return Changes(upper.get(), lower).find();
}

}  // namespace mbuild::executor::jobs
