#include "executor/sources/remote_context.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "executor/api/secrets.h"
#include "files/archive.h"
#include "files/write_record.h"
#include "graph/git_ref.h"
#include "remote/download.h"
#include "remote/git.h"

namespace mbuild::executor {
namespace {

constexpr const char* k_download_name = "context";

remote::GitCheckout check_out(const TargetRequest& request, const frontend::GitRef& ref, const std::string& directory,
                              std::stop_token stop) {
  remote::GitOptions options;
  options.authorization =
      remote::git_authorization(ref, [&](const std::string& id) { return read_credential(request, id); });
  return remote::checkout_git(ref, directory, options, stop);
}

remote::Download download_to(const TargetRequest& request, const graph::HttpSource& source, int file,
                             std::stop_token stop) {
  remote::DownloadRequest download;
  download.url = source.url;
  download.output = file;
  download.checksum = source.checksum;
  download.authorization =
      remote::http_authorization(source.url, [&](const std::string& id) { return read_credential(request, id); });
  download.stop = std::move(stop);
  return remote::download(download);
}

void unpack_into(int archive, const std::string& directory, std::stop_token stop) {
  const Fd root = open_file(directory, O_RDONLY | O_DIRECTORY);
  WriteRecord record;
  unpack_archive(archive, root.get(), "",
                 {.owner = Owner{::geteuid(), ::getegid()}, .timestamp = {}, .stop = std::move(stop)}, record);
  finish_directories(root.get(), -1, record, image::OwnerMode::real);
}

std::optional<std::int64_t> newest_file(const std::string& directory) {
  std::optional<std::int64_t> newest;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat status;
    if (::lstat(entry.path().c_str(), &status) < 0 || !S_ISREG(status.st_mode)) continue;
    newest = std::max(newest.value_or(status.st_mtim.tv_sec), std::int64_t{status.st_mtim.tv_sec});
  }
  return newest;
}

// What the policy makes of a source: one of the same kind.
template <class Source>
Source allowed(const SessionRequest& session, Source source) {
  if (!session.source_policy) return source;
  return std::get<Source>(allowed_source(*session.source_policy, std::move(source)));
}

RemoteContext fetch_git_context(const SessionRequest& session, const TargetRequest& request, frontend::GitRef ref,
                                const std::string& directory, std::stop_token stop) {
  ref = frontend::git_ref_of(allowed(session, frontend::git_source(ref)));
  const auto argument = [&](const char* name) {
    const auto found = request.build_args.find(name);
    return found == request.build_args.end() ? "" : found->second;
  };
  const std::string keep = argument("BUILDKIT_CONTEXT_KEEP_GIT_DIR");
  if (keep == "1" || keep == "true") ref.keep_git_dir = true;
  if (ref.mtime.empty() && !argument("SOURCE_DATE_EPOCH").empty()) ref.mtime = "commit";
  return {check_out(request, ref, directory, std::move(stop)).commit_time, ""};
}

RemoteContext fetch_http_context(const SessionRequest& session, const TargetRequest& request,
                                 const std::string& directory, std::stop_token stop) {
  const std::string path = directory + "/" + k_download_name;
  Fd file = open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  const auto source = allowed(session, graph::HttpSource{.url = request.context});
  const auto got = download_to(request, source, file.get(), stop);
  if (!is_archive(file.get())) return {got.mtime, k_download_name};
  std::filesystem::remove(path);
  unpack_into(file.get(), directory, std::move(stop));
  return {got.mtime ? got.mtime : newest_file(directory), ""};
}

std::string fresh_directory(const Scratch& scratch) {
  const std::string directory = scratch() + "/fetched-" + random_hex(8);
  make_directories(directory, 0755);
  return directory;
}

}  // namespace

bool is_remote(const std::string& context) {
  return graph::is_http_address(context) || frontend::parse_git_ref(context).has_value();
}

RemoteContext fetch_context(const SessionRequest& session, const TargetRequest& request, const std::string& directory,
                            std::stop_token stop) {
  if (const auto git = frontend::parse_git_ref(request.context)) {
    return fetch_git_context(session, request, *git, directory, std::move(stop));
  }
  return fetch_http_context(session, request, directory, std::move(stop));
}

std::string fetch_text(const SessionRequest& session, const TargetRequest& request, const std::string& url,
                       const Scratch& scratch, std::stop_token stop) {
  const Fd file = open_file(fresh_directory(scratch) + "/file", O_RDWR | O_CREAT | O_EXCL, 0600);
  const auto source = allowed(session, graph::HttpSource{.url = url});
  download_to(request, source, file.get(), std::move(stop));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) throw system_error(errno, "rewind a download");
  return read_all(file.get());
}

std::optional<std::int64_t> time_of_source(const SessionRequest& session, const TargetRequest& request,
                                           const graph::SourceOp& asked, const Scratch& scratch, std::stop_token stop) {
  const std::string directory = fresh_directory(scratch);
  if (const auto* git = std::get_if<graph::GitSource>(&asked))
    return check_out(request, frontend::git_ref_of(allowed(session, *git)), directory, std::move(stop)).commit_time;
  const auto source = allowed(session, std::get<graph::HttpSource>(asked));
  const Fd file = open_file(directory + "/file", O_RDWR | O_CREAT | O_EXCL, 0600);
  const auto got = download_to(request, source, file.get(), stop);
  if (got.mtime || !is_archive(file.get())) return got.mtime;
  const std::string unpacked = fresh_directory(scratch);
  unpack_into(file.get(), unpacked, std::move(stop));
  return newest_file(unpacked);
}

}  // namespace mbuild::executor
