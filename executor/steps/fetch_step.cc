#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/own_directory.h"
#include "executor/sources/remote_context.h"
#include "executor/steps/steps.h"
#include "remote/download.h"
#include "remote/git.h"

// Sources that come over the network: the file of ADD URL, and git check-outs. Each becomes a layer of the store, from
// which it is copied as from a stage.
namespace mbuild::executor {
namespace {

std::string attribute(const graph::SourceOp& source, const std::string& name) {
  const auto found = source.attributes.find(name);
  return found == source.attributes.end() ? "" : found->second;
}

void set_mtime(int fd, std::int64_t seconds) {
  const timespec times[2] = {{0, UTIME_OMIT}, {seconds, 0}};
  if (::futimens(fd, times) < 0) throw system_error(errno, "set the time of a download");
}

}  // namespace

// The tree of `directory`, as an image has it: owned by root, files with `mode` where one is given.
cache::Layer Steps::layer_of_directory(const std::string& directory, const std::string& mode, std::stop_token stop) {
  const Fd root = open_file(directory, O_RDONLY | O_DIRECTORY);
  graph::FileAction action;
  action.source = action.destination = "/";
  action.mode = mode;
  Tree tree;
  tree.root = root.get();
  jobs::FilesRequest request;
  request.owners = owner_mode();
  request.actions = {action};
  request.sources.push_back({.stack = {},
                             .directory = duplicate(root.get()),
                             .selection = {std::make_shared<const Selection>(select(tree, action))}});
  request.work = work_directory();
  const std::string layer_id = random_hex(16);
  request.final_path = environment_.store.layer_path(layer_id);
  return keep(layer_id, jobs::apply_files(environment_.inner.get(), request, stop).layer);
}

cache::Layer Steps::fetch_file(graph::NodeId, const graph::SourceOp& source, std::stop_token stop) {
  auto& store = environment_.store;
  const std::string name = attribute(source, "filename");
  const std::string row = source.identifier + " " + name;
  auto known = store.find_download(row);
  std::optional<cache::Layer> layer;
  if (known) layer = store.find_layer(known->layer_id);
  const std::string checksum = attribute(source, "checksum");
  // With a checksum, nobody need be asked whether the file is still the same.
  if (layer && !checksum.empty() && known->digest == checksum) return *layer;

  const std::string directory = work_directory() + "/download";
  make_settled_directory(directory, 0755);
  const Fd file = open_file(directory + "/" + name, O_RDWR | O_CREAT | O_EXCL, 0644);
  remote::DownloadRequest request;
  request.url = source.identifier;
  request.output = file.get();
  request.checksum = checksum;
  request.authorization = remote::http_authorization(
      source.identifier, [this](const std::string& id) { return read_credential(environment_.request, id); });
  request.stop = stop;
  if (layer) {
    if (!known->etag.empty()) request.etags = {known->etag};
    request.last_modified = known->last_modified;
  }
  const auto got = remote::download(request);
  if (got.not_modified && layer) return *layer;
  set_mtime(file.get(), got.mtime.value_or(0));
  auto made = layer_of_directory(directory, "0600", stop);
  store.add_download(row, {got.etag, got.last_modified, got.mtime.value_or(0), got.digest, made.id});
  return made;
}

cache::Layer Steps::fetch_git(const graph::SourceOp& source, std::stop_token stop) {
  const frontend::GitRef ref = frontend::git_ref_of(source);
  remote::GitOptions options;
  options.authorization = remote::git_authorization(
      ref, [this](const std::string& id) { return read_credential(environment_.request, id); });

  auto& store = environment_.store;
  const auto key_of = [&](const std::string& commit) {
    Sha256 hash;
    hash.field("git check-out");
    for (const auto& [name, value] : source.attributes) {
      if (name == "ref" || name == "checksum") continue;
      hash.field(name);
      hash.field(value);
    }
    hash.field(commit);
    return hash.digest();
  };
  const auto commit = remote::resolve_git(ref, options, stop);
  if (!commit.commit.empty()) {
    if (const auto record = store.find_record(key_of(commit.commit))) {
      if (auto layer = store.find_layer(record->layers.front())) return std::move(*layer);
    }
  }
  const std::string directory = work_directory() + "/git";
  make_settled_directory(directory, 0755);
  const auto checked_out = remote::checkout_git(ref, directory, options, stop);
  auto made = layer_of_directory(directory, "", stop);
  store.add_record({.content_key = key_of(checked_out.commit.commit),
                    .layers = {made.id},
                    .created = checked_out.commit_time,
                    .duration_ms = 0,
                    .emulator = {},
                    .name = source.identifier});
  return made;
}

}  // namespace mbuild::executor
