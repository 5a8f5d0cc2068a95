#include "worker/jobs/jobs.h"

#include <span>

#include "worker/jobs/jobs_codec.h"

// The outer half: each function encodes its request, replaces descriptors by their index among those that travel
// beside it, and decodes the reply. The inner half is job_*.cc.
namespace mbuild::executor::jobs {
namespace {

// Descriptors that go with a request.
class Luggage {
 public:
  int add(int fd) {
    if (fd < 0) return -1;
    fds_.push_back(fd);
    return static_cast<int>(fds_.size()) - 1;
  }
  std::span<const int> fds() const { return fds_; }

 private:
  std::vector<int> fds_;
};

FilesRequest pack(const FilesRequest& request, Luggage& luggage) {
  FilesRequest packed = request;
  for (auto& source : packed.sources) source.directory = luggage.add(source.directory);
  return packed;
}

}  // namespace

UnpackReply unpack(Inner& inner, const UnpackRequest& request, int blob, std::stop_token stop) {
  return decode<UnpackReply>(inner.call("unpack", encode(request), std::span(&blob, 1), std::move(stop)));
}

RunReply run(Inner& inner, const RunRequest& request, std::stop_token stop) {
  Luggage luggage;
  RunRequest packed = request;
  packed.spec.stdout_fd = luggage.add(packed.spec.stdout_fd);
  packed.spec.stderr_fd = luggage.add(packed.spec.stderr_fd);
  packed.spec.network_fd = luggage.add(packed.spec.network_fd);
  for (auto& mount : packed.spec.mounts) mount.content_fd = luggage.add(mount.content_fd);
  return decode<RunReply>(inner.call("run", encode(packed), luggage.fds(), std::move(stop)));
}

ProbeReply probe_files(Inner& inner, const FilesRequest& request, std::stop_token stop) {
  Luggage luggage;
  const auto packed = pack(request, luggage);
  return decode<ProbeReply>(inner.call("probe-files", encode(packed), luggage.fds(), std::move(stop)));
}

ProbedLayer apply_files(Inner& inner, const FilesRequest& request, std::stop_token stop) {
  Luggage luggage;
  const auto packed = pack(request, luggage);
  return decode<ProbedLayer>(inner.call("apply-files", encode(packed), luggage.fds(), std::move(stop)));
}

ProbedLayer probe_and_apply_files(Inner& inner, const FilesRequest& request, std::stop_token stop) {
  Luggage luggage;
  const auto packed = pack(request, luggage);
  return decode<ProbedLayer>(inner.call("probe-and-apply-files", encode(packed), luggage.fds(), std::move(stop)));
}

Digest digest_tree(Inner& inner, const DigestRequest& request, std::stop_token stop) {
  return inner.call("digest-tree", encode(request), {}, std::move(stop));
}

SelectReply select_files(Inner& inner, const SelectRequest& request, int directory, std::stop_token stop) {
  return decode<SelectReply>(inner.call("select-files", encode(request), std::span(&directory, 1), std::move(stop)));
}

SerialiseReply serialise(Inner& inner, const SerialiseRequest& request, int out, std::stop_token stop) {
  return decode<SerialiseReply>(inner.call("serialise", encode(request), std::span(&out, 1), std::move(stop)));
}

std::vector<bool> audit(Inner& inner, const AuditRequest& request, std::stop_token stop) {
  std::vector<bool> holds;
  for (const char answer : inner.call("audit", encode(request), {}, std::move(stop))) holds.push_back(answer == '1');
  return holds;
}

void export_trees(Inner& inner, const ExportRequest& request, int out, std::stop_token stop) {
  inner.call("export", encode(request), std::span(&out, out < 0 ? 0 : 1), std::move(stop));
}

NewLayer flatten(Inner& inner, const FlattenRequest& request, std::stop_token stop) {
  return decode<NewLayer>(inner.call("flatten", encode(request), {}, std::move(stop)));
}

std::vector<std::uint64_t> measure(Inner& inner, const std::vector<std::string>& paths, std::stop_token stop) {
  return decode<std::vector<std::uint64_t>>(inner.call("measure", encode(PathsRequest{paths}), {}, std::move(stop)));
}

void replace(Inner& inner, const ReplaceRequest& request, std::stop_token stop) {
  inner.call("replace", encode(request), {}, std::move(stop));
}

void remove(Inner& inner, const std::vector<std::string>& paths, std::stop_token stop) {
  inner.call("remove", encode(PathsRequest{paths}), {}, std::move(stop));
}

}  // namespace mbuild::executor::jobs
