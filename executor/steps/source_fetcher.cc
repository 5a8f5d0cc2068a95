#include "executor/steps/source_fetcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/own_directory.h"
#include "executor/api/secrets.h"
#include "remote/download.h"
#include "remote/git.h"

namespace mbuild::executor {
namespace {

void set_mtime(int fd, std::int64_t seconds) {
  const timespec times[2] = {{0, UTIME_OMIT}, {seconds, 0}};
  if (::futimens(fd, times) < 0) throw system_error(errno, "set the time of a download");
}

}  // namespace

cache::Layer SourceFetcher::fetch(const TargetRequest& request, const graph::SourceOp& source,
                                  const std::stop_token& stop) {
  const auto* git = std::get_if<graph::GitSource>(&source);
  return git != nullptr ? fetch_git(request, *git, stop)
                        : fetch_file(request, std::get<graph::HttpSource>(source), stop);
}

// The tree of `directory`, as an image has it: owned by root, files with `mode` where one is given.
cache::Layer SourceFetcher::layer_of_directory(const std::string& directory, const std::string& mode,
                                               const std::stop_token& stop) {
  const Fd root = open_file(directory, O_RDONLY | O_DIRECTORY);
  graph::FileAction action;
  action.source = action.destination = "/";
  action.mode = mode;
  Tree tree;
  tree.root = root.get();
  const auto files = std::make_shared<const Contexts::Selected>(
      Contexts::Selected{.directory = root.get(), .selection = select(tree, action), .digest = {}});
  FilesTask task;
  task.layer = random_hex(16);
  task.actions = {action};
  task.sources = {{.layers = {}, .user_files = parts_.lent.lend(files)}};
  return parts_.layers.keep(parts_.worker.apply(task, stop).layer);
}

cache::Layer SourceFetcher::fetch_file(const TargetRequest& asked, const graph::HttpSource& source,
                                       const std::stop_token& stop) {
  auto& store = parts_.store;
  const std::string& name = source.filename;
  const std::string row = source.url + " " + name;
  auto known = store.find_download(row);
  std::optional<cache::Layer> layer;
  if (known) layer = store.find_layer(known->layer_id);
  const std::string& checksum = source.checksum;
  // With a checksum, nobody need be asked whether the file is still the same.
  if (layer && !checksum.empty() && known->digest == checksum) return *layer;

  const std::string directory = parts_.work.next() + "/download";
  make_settled_directory(directory, 0755);
  const Fd file = open_file(directory + "/" + name, O_RDWR | O_CREAT | O_EXCL, 0644);
  remote::DownloadRequest request;
  request.url = source.url;
  request.output = file.get();
  request.checksum = checksum;
  request.authorization =
      remote::http_authorization(source.url, [&](const std::string& id) { return read_credential(asked, id); });
  request.stop = stop;
  // And the file that is known is not the one that the checksum names: it is fetched, whatever has not changed.
  if (layer && checksum.empty()) {
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

cache::Layer SourceFetcher::fetch_git(const TargetRequest& asked, const graph::GitSource& source,
                                      const std::stop_token& stop) {
  const frontend::GitRef ref = frontend::git_ref_of(source);
  remote::GitOptions options;
  options.authorization =
      remote::git_authorization(ref, [&](const std::string& id) { return read_credential(asked, id); });

  auto& store = parts_.store;
  const auto key_of = [&](const std::string& commit) {
    Sha256 hash;
    hash.field("git check-out");
    for (const auto& [name, value] : graph::source_attributes(source)) {
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
  const std::string directory = parts_.work.next() + "/git";
  make_settled_directory(directory, 0755);
  const auto checked_out = remote::checkout_git(ref, directory, options, stop);
  auto made = layer_of_directory(directory, "", stop);
  store.add_record({.content_key = key_of(checked_out.commit.commit),
                    .layers = {made.id},
                    .created = checked_out.commit_time,
                    .duration_ms = 0,
                    .emulator = {},
                    .name = graph::identifier_of(source)});
  return made;
}

}  // namespace mbuild::executor
