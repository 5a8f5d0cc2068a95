#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/digest.h"
#include "base/error.h"
#include "base/own_directory.h"
#include "base/strings.h"
#include "layers/layer_digest.h"
#include "layers/layer_writer.h"
#include "layers/set_times.h"
#include "layers/unpack.h"
#include "worker/ids/user_namespace.h"
#include "worker/jobs/work_directory.h"
#include "worker/snapshot/flatten.h"
#include "worker/snapshot/mount_calls.h"
#include "worker/snapshot/snapshot_merge.h"

// Layers: made from a blob, committed from a directory, written as a blob.
namespace mbuild::executor::jobs {

void give_final_name(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return;
  // Something without a valid row has the name: it is garbage, replaced, never adopted.
  if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) throw system_error(errno, "rename to " + to);
  const std::string aside = from + ".garbage";
  if (::rename(to.c_str(), aside.c_str()) < 0 || ::rename(from.c_str(), to.c_str()) < 0) {
    throw system_error(errno, "rename to " + to);
  }
}

namespace {

constexpr std::size_t k_findings_of_base = 32;  // kept of a base image's layer, which is warned of only

std::vector<std::unique_ptr<emu::ArchitectureAudit>> audits_for(const std::vector<platforms::Platform>& platforms,
                                                                std::vector<image::EntryVisitor*>& visitors) {
  std::vector<std::unique_ptr<emu::ArchitectureAudit>> audits;
  for (const auto& platform : platforms) {
    audits.push_back(std::make_unique<emu::ArchitectureAudit>(platform, std::vector<std::string>()));
    visitors.push_back(audits.back().get());
  }
  return audits;
}

// Ends with an Error at the first device node.
class NoNodes final : public image::EntryVisitor {
 public:
  void begin_entry(const std::string& path, const image::Inode& inode) override {
    if (inode.type != image::FileType::character && inode.type != image::FileType::block) return;
    throw usage_error(fmt::format("there is a device node at /{}, which is not taken into an image", path))
        .with_advice("Remove it in the container, and have the image make it by a RUN.");
  }
  void data(std::string_view) override {}
  void end_entry() override {}
};

}  // namespace

namespace {

// The root of a layer: what it is in the image is not for the place of the store to say.
Fd make_layer_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) < 0) throw system_error(errno, "mkdir " + path);
  Fd directory = open_file(path, O_RDONLY | O_DIRECTORY);
  settle_directory(directory.get(), path, 0755);
  return directory;
}

}  // namespace

std::string make_work_directory(const std::string& work, std::string_view name) {
  std::string path = fmt::format("{}/{}", work, name);
  make_layer_directory(path);
  return path;
}

Fd open_root(const Fd& mount) { return open_at(mount.get(), ".", O_RDONLY | O_DIRECTORY); }

std::string make_scratch(const std::string& work) {
  Fd memory;
  try {
    memory = make_filesystem("tmpfs", {{"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  } catch (const Error&) {
    return make_work_directory(work, "scratch");  // nothing can be mounted here
  }
  const Fd root = open_root(memory);
  // Generated directories need attributes, which tmpfs has had since Linux 6.6. Before, the disk will do.
  if (::fsetxattr(root.get(), "user.mbuild.test", "", 0, 0) < 0) return make_work_directory(work, "scratch");
  std::string path = dir_name(work) + "/scratch";
  if (::mkdir(path.c_str(), 0755) < 0 && errno != EEXIST) throw system_error(errno, "mkdir " + path);
  attach(memory.get(), open_file(path, O_PATH | O_DIRECTORY).get());
  return path;
}

int snapshot_root(const Stack& stack, const std::string& scratch) {
  if (::mkdir(scratch.c_str(), 0755) < 0) throw system_error(errno, "mkdir " + scratch);
  if (stack.layers.empty()) return open_file(scratch, O_RDONLY | O_DIRECTORY).release();
  return open_root(mount_snapshot(stack, scratch)).release();
}

int readable_root(const Stack& stack, const std::string& scratch, const std::string& work) {
  try {
    return snapshot_root(stack, scratch);
  } catch (const Error& error) {
    if (error.exit_class != ExitClass::host) throw;
  }
  const std::string merged = make_work_directory(work, "merged-" + random_hex(4));
  merge_snapshot(stack, merged);
  return open_file(merged, O_RDONLY | O_DIRECTORY).release();
}

NewLayer commit_layer(const std::string& upper, const std::string& final_path, std::vector<std::string> implied,
                      image::OwnerMode owners, const image::KnownFiles& known, const NodeCheck& check_nodes) {
  NewLayer layer;
  {
    const Fd directory = open_file(upper, O_RDONLY | O_DIRECTORY);
    const image::LayerSource source{
        .directory = directory.get(), .implied = implied, .clamp_mtime = {}, .owners = owners};
    auto summary = image::summarise_layer(source, 0, known);
    if (check_nodes && !summary.device_nodes.empty() && check_nodes(directory.get(), summary.device_nodes)) {
      summary = image::summarise_layer(source, 0, known);
    }
    layer.result_digest = summary.result_digest;
    layer.bytes = summary.bytes;
    layer.files = summary.entries;
    layer.newest_mtime = summary.newest_mtime;
  }
  layer.implied = std::move(implied);
  give_final_name(upper, final_path);
  return layer;
}

bool same_set_times_job(SetTimesRequest request) {
  const Fd one = open_file(request.one.path, O_RDONLY | O_DIRECTORY);
  const Fd other = open_file(request.other.path, O_RDONLY | O_DIRECTORY);
  const auto source = [&](const Fd& directory, LayerTimes& times) {
    return image::LayerSource{
        .directory = directory.get(), .implied = std::move(times.implied), .clamp_mtime = {}, .owners = request.owners};
  };
  return image::have_same_set_times(source(one, request.one), source(other, request.other));
}

UnpackReply unpack_job(UnpackRequest request) {
  const Fd directory = make_layer_directory(request.work);
  std::vector<Fd> lowers;
  image::UnpackOptions options;
  options.expected_digest = request.digest;
  options.expected_size = request.size;
  options.expected_diff_id = request.diff_id;
  options.owners = request.owners;
  const auto audits = audits_for(request.audit_for, options.visitors);
  for (const auto& path : request.lower_paths) {
    lowers.push_back(open_file(path, O_RDONLY | O_DIRECTORY));
    options.lower_dirs.push_back(lowers.back().get());
  }
  UnpackReply reply;
  image::UnpackResult unpacked;
  try {
    unpacked = image::unpack_layer(request.blob.get(), request.media_type, directory.get(), options);
  } catch (const image::MissingLinkTarget&) {
    if (!request.without_lowers) throw;
    reply.needs_lowers = true;
    return reply;
  }
  for (const auto& audit : audits) {
    reply.findings.push_back(audit->findings());
    if (reply.findings.back().size() > k_findings_of_base) reply.findings.back().resize(k_findings_of_base);
  }
  reply.depends_on_lowers = unpacked.links_into_lower;
  reply.layer.result_digest = request.diff_id;
  reply.layer.bytes = unpacked.bytes;
  reply.layer.files = unpacked.entries;
  if (request.summarise) {
    const auto summary = image::summarise_layer(
        {.directory = directory.get(), .implied = unpacked.implied, .clamp_mtime = {}, .owners = request.owners});
    reply.layer.result_digest = summary.result_digest;
    reply.layer.newest_mtime = summary.newest_mtime;
  }
  reply.layer.implied = std::move(unpacked.implied);
  give_final_name(request.work, reply.depends_on_lowers ? request.final_path_on_lowers : request.final_path);
  return reply;
}

SerialiseReply serialise_job(SerialiseRequest request) {
  const Fd directory = open_file(request.path, O_RDONLY | O_DIRECTORY);
  const image::LayerSource source{.directory = directory.get(),
                                  .implied = request.implied,
                                  .clamp_mtime = request.clamp_mtime,
                                  .owners = request.owners};
  image::SerialiseOptions options;
  options.compression = request.compression;
  options.level = request.level;
  const auto audits = audits_for(request.audit_for, options.visitors);
  NoNodes no_nodes;
  if (request.without_nodes) options.visitors.push_back(&no_nodes);
  SerialiseReply reply;
  reply.serialisation = image::serialise_layer(source, request.out.get(), options);
  for (const auto& audit : audits) {
    auto& findings = reply.findings.emplace_back(audit->findings());
    findings.insert(findings.end(), audit->needs().begin(), audit->needs().end());
  }
  return reply;
}

void export_trees_job(ExportRequest request) {
  const std::string scratch = make_scratch(request.work);
  std::vector<image::ExportTree> trees;
  for (const auto& tree : request.trees) {
    const int root = readable_root(tree.stack, fmt::format("{}/tree-{}", scratch, trees.size()), request.work);
    trees.push_back({.platform = tree.platform,
                     .subdirectory = tree.subdirectory,
                     .root = root,
                     .owners = request.owners,
                     .clamp_mtime = request.clamp_mtime});
  }
  if (request.destination.empty()) {
    image::export_tar(trees, request.out.get());
  } else {
    act_as_caller();  // to whom the files belong
    image::export_local(trees, request.destination,
                        request.remove_others ? image::LocalMode::remove : image::LocalMode::copy);
  }
}

NewLayer flatten_job(FlattenRequest request) {
  constexpr std::uint64_t k_directory_size = 4096;
  make_layer_directory(request.work);
  auto run = executor::flatten(request.stack, request.below, request.work);
  give_final_name(request.work, request.final_path);
  NewLayer layer;
  layer.bytes = run.directories * k_directory_size;
  layer.files = run.entries;
  layer.implied = std::move(run.implied);
  return layer;
}

}  // namespace mbuild::executor::jobs
