#include <fmt/format.h>

#include <exception>

#include "base/crash_point.h"
#include "base/error.h"
#include "emu/findings_record.h"
#include "executor/sources/blob_stream.h"
#include "executor/steps/layer_fetcher.h"

// The layers of a base image: each is unpacked while it is being downloaded.
namespace mbuild::executor {
namespace {

// The id of a pulled layer whose hard links point into the layers below it: it depends on them.
std::string id_on_lowers(const Snapshot& snapshot, std::size_t index) {
  Sha256 chain;
  for (std::size_t i = 0; i < index; ++i) chain.field(snapshot.layers[i]->result_digest);
  return fmt::format("{}-{}", snapshot.layers[index]->id, digest_hex(chain.digest()).substr(0, 16));
}

}  // namespace

const cache::Layer* LayerFetcher::find(const Snapshot& snapshot, std::size_t index) {
  const auto* layer = parts_.layers.find(snapshot.layers[index]->id);
  if (layer != nullptr || !snapshot.layers[index]->pulled) return layer;
  return parts_.layers.find(id_on_lowers(snapshot, index));
}

bool LayerFetcher::pull(const Snapshot& snapshot, std::size_t index, bool lowers_are_there,
                        const std::stop_token& stop) {
  const auto& wanted = *snapshot.layers[index];
  const auto lock = parts_.store.lock_layer(wanted.result_digest, stop);
  if (find(snapshot, index)) return true;
  const auto descriptor = parts_.images.layer_descriptor(wanted.result_digest);
  jobs::UnpackRequest request;
  request.media_type = descriptor.media_type;
  request.digest = descriptor.digest;
  request.size = descriptor.size;
  request.diff_id = wanted.result_digest;
  request.owners = parts_.inner.map().owner_mode();
  request.audit_for = parts_.platforms;
  request.final_path = parts_.store.layer_path(wanted.id);
  request.final_path_on_lowers = parts_.store.layer_path(id_on_lowers(snapshot, index));
  request.without_lowers = !lowers_are_there && index > 0;
  for (std::size_t i = index; lowers_are_there && i-- > 0;) {
    if (const auto* lower = find(snapshot, i)) request.lower_paths.push_back(parts_.store.layer_path(lower->id));
  }
  const auto reply = pull_and_unpack(request, descriptor, stop);
  if (reply.needs_lowers) return false;
  crash_point("layer-unpacked");
  const auto id = reply.depends_on_lowers ? id_on_lowers(snapshot, index) : wanted.id;
  parts_.layers.add({.id = id,
                     .result_digest = wanted.result_digest,
                     .pulled = true,
                     .bytes = reply.layer.bytes,
                     .files = reply.layer.files,
                     .newest_mtime = 0,
                     .implied = reply.layer.implied});
  for (std::size_t i = 0; i < reply.findings.size(); ++i) {
    if (reply.findings[i].empty()) continue;  // nobody asks whether a base was looked at
    parts_.store.add_audit(id, platforms::to_string(request.audit_for[i]), pack_findings(reply.findings[i]));
  }
  return true;
}

// From the registry while the download runs; from the store where the blob is there, or where the download had to start
// over and what was unpacked is void.
jobs::UnpackReply LayerFetcher::pull_and_unpack(jobs::UnpackRequest& request, const image::Descriptor& descriptor,
                                                const std::stop_token& stop) {
  if (parts_.images.is_remote(descriptor)) {
    BlobStream stream(parts_.images, descriptor, stop);
    request.digest.clear();  // the download is verified
    request.work = parts_.work.next() + "/layer";
    request.blob = duplicate(stream.fd());
    std::exception_ptr failure;
    jobs::UnpackReply reply;
    try {
      reply = jobs::unpack(parts_.inner.get(), request, stop);
    } catch (const Error& error) {
      if (error.exit_class != ExitClass::network) throw;  // a full disk stays full
      failure = std::current_exception();
    }
    request.blob.reset();
    stream.finish();
    if (!failure && stream.intact()) return reply;
    if (stream.intact()) std::rethrow_exception(failure);
  }
  request.digest = descriptor.digest;
  request.work = parts_.work.next() + "/layer";
  request.blob = parts_.images.open_blob(descriptor);
  return jobs::unpack(parts_.inner.get(), request, stop);
}

}  // namespace mbuild::executor
