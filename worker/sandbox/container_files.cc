#include "worker/sandbox/container_files.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "base/error.h"
#include "files/archive.h"
#include "files/root_path.h"
#include "files/tree_tar.h"
#include "files/write_record.h"

namespace mbuild::executor {
namespace {

void read_files(int root, const FileOrder& order, const std::string& path) {
  const Tree tree{.root = root, .kind = Tree::Kind::snapshot, .owners = order.owners, .name = "container"};
  write_tree_tar(tree, path, order.name, [&](std::string_view bytes) { write_all(order.data.get(), bytes); });
}

void write_files(int root, const FileOrder& order, const std::string& path) {
  const Fd directory = open_resolved(root, path, O_RDONLY | O_DIRECTORY);
  UnpackRules rules{
      .owner = Owner{0, 0}, .timestamp = {}, .owners = order.owners, .stop = {}, .keep_kinds = true, .pipes = true};
  if (order.keep_owners) rules.owner.reset();
  WriteRecord record;
  unpack_archive(order.data.get(), directory.get(), "", rules, record);
  finish_directories(directory.get(), -1, record, order.owners);
}

}  // namespace

FileReply serve_files(int root, const FileOrder& order) {
  const auto found = resolve_in_root(root, order.path, order.follow ? LastLink::follow : LastLink::keep);
  FileReply reply{.exists = found.status.has_value(), .is_directory = found.is_directory(), .path = found.path};
  if (order.kind == FileOrder::Kind::look) return reply;
  if (!reply.exists) throw usage_error(fmt::format("{}: no such file or directory in the container", order.path));
  if (order.kind == FileOrder::Kind::read) {
    read_files(root, order, found.path);
  } else if (!reply.is_directory) {
    throw usage_error(fmt::format("{}: not a directory in the container", order.path));
  } else {
    write_files(root, order, found.path);
  }
  return reply;
}

}  // namespace mbuild::executor
