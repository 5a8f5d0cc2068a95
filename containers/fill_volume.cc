#include "containers/fill_volume.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "files/archive.h"
#include "files/root_path.h"
#include "files/tree_tar.h"
#include "files/write_record.h"
#include "worker/jobs/work_directory.h"

namespace mbuild::containers {

void fill_volume_job(FillRequest request) {
  using namespace executor;
  const int root = jobs::readable_root(request.image, jobs::make_scratch(request.work) + "/image", request.work);
  const auto found = resolve_in_root(root, request.path, LastLink::follow);
  if (!found.is_directory()) return;
  const Fd directory =
      request.into.tree ? jobs::open_root(request.into.tree) : open_file(request.into.source, O_RDONLY | O_DIRECTORY);
  const Fd tar = open_file(request.work, O_TMPFILE | O_RDWR, 0600);
  const Tree tree{.root = root, .kind = Tree::Kind::snapshot, .owners = request.owners, .name = "image"};
  write_tree_tar(tree, found.path, "", [&](std::string_view bytes) { write_all(tar.get(), bytes); });
  if (::lseek(tar.get(), 0, SEEK_SET) < 0) throw system_error(errno, "lseek");
  const UnpackRules rules{.owner = {}, .timestamp = {}, .owners = request.owners, .stop = {}};
  WriteRecord record;
  unpack_archive(tar.get(), directory.get(), "", rules, record);
  finish_directories(directory.get(), -1, record, request.owners);
  const Fd like = open_resolved(root, found.path, O_RDONLY | O_DIRECTORY);
  struct stat status;
  if (::fstat(like.get(), &status) < 0 || ::fchown(directory.get(), status.st_uid, status.st_gid) < 0 ||
      ::fchmod(directory.get(), status.st_mode & 07777) < 0) {
    throw system_error(errno, "set the owner of a volume");
  }
}

}  // namespace mbuild::containers
