#include <fmt/format.h>

#include <exception>

#include "base/crash_point.h"
#include "base/error.h"
#include "base/parallel.h"
#include "emu/findings_record.h"
#include "executor/sources/blob_stream.h"
#include "executor/steps/steps.h"
#include "layers/layer_digest.h"

// The layers of a base image are fetched and unpacked in parallel, each while it is being
// downloaded. A layer does not depend on those below it, except where a tar has a hard link to a file of a lower layer:
// such a layer is found out and made again when the others are there.
namespace mbuild::executor {
namespace {

constexpr unsigned k_layers_at_once = 4;

// The id of a pulled layer whose hard links point into the layers below it: it depends on them.
std::string id_on_lowers(const Snapshot& snapshot, std::size_t index) {
  Sha256 chain;
  for (std::size_t i = 0; i < index; ++i) chain.field(snapshot.layers[i]->result_digest);
  return fmt::format("{}-{}", snapshot.layers[index]->id, digest_hex(chain.digest()).substr(0, 16));
}

}  // namespace

const cache::Layer* Steps::unpacked_layer(const Snapshot& snapshot, std::size_t index) {
  const auto* layer = find_layer(snapshot.layers[index]->id);
  if (layer != nullptr || !snapshot.layers[index]->pulled) return layer;
  return find_layer(id_on_lowers(snapshot, index));
}

Error Steps::vanished(const SnapshotLayer& layer) const {
  return Error(ExitClass::store, fmt::format("the layer {} has vanished from the store", layer.id))
      .with_advice("Run the build again.");
}

void Steps::unpack_missing(const Snapshot& snapshot, const std::stop_token& stop) {
  static const Digest k_empty = image::empty_layer_digest();
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < snapshot.layers.size(); ++i) {
    if (snapshot.layers[i]->result_digest != k_empty && !unpacked_layer(snapshot, i)) missing.push_back(i);
  }
  // The first failure ends the others, and is the one that is told.
  std::stop_source others;
  const std::stop_callback on_stop(stop, [&] { others.request_stop(); });
  std::mutex mutex;
  std::exception_ptr failure;
  std::set<std::size_t> again;
  parallel_for(missing.size(), k_layers_at_once, [&](std::size_t i) {
    try {
      if (unpack(snapshot, missing[i], false, others.get_token())) return;
      const std::lock_guard lock(mutex);
      again.insert(missing[i]);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      others.request_stop();
    }
  });
  if (failure) std::rethrow_exception(failure);
  for (const auto index : again) unpack(snapshot, index, true, stop);
}

// Without `lowers_are_there`: false when they are needed and nothing was made.
bool Steps::unpack(const Snapshot& snapshot, std::size_t index, bool lowers_are_there, const std::stop_token& stop) {
  const auto& wanted = *snapshot.layers[index];
  if (wanted.imported) {
    unpack_import(wanted, stop);
    return true;
  }
  if (!wanted.pulled) throw vanished(wanted);
  const auto lock = environment_.store.lock_layer(wanted.result_digest, stop);
  if (unpacked_layer(snapshot, index)) return true;
  const auto descriptor = environment_.images.layer_descriptor(wanted.result_digest);
  jobs::UnpackRequest request;
  request.media_type = descriptor.media_type;
  request.digest = descriptor.digest;
  request.size = descriptor.size;
  request.diff_id = wanted.result_digest;
  request.owners = owner_mode();
  request.audit_for = environment_.request.platforms;
  if (request.audit_for.empty()) request.audit_for = {platforms::host_platform()};
  request.final_path = environment_.store.layer_path(wanted.id);
  request.final_path_on_lowers = environment_.store.layer_path(id_on_lowers(snapshot, index));
  request.without_lowers = !lowers_are_there && index > 0;
  for (std::size_t i = index; lowers_are_there && i-- > 0;) {
    if (const auto* lower = unpacked_layer(snapshot, i))
      request.lower_paths.push_back(environment_.store.layer_path(lower->id));
  }
  const auto reply = fetch_and_unpack(request, descriptor, stop);
  if (reply.needs_lowers) return false;
  crash_point("layer-unpacked");
  const auto id = reply.depends_on_lowers ? id_on_lowers(snapshot, index) : wanted.id;
  add_layer({.id = id,
             .result_digest = wanted.result_digest,
             .pulled = true,
             .bytes = reply.layer.bytes,
             .files = reply.layer.files,
             .newest_mtime = 0,
             .implied = reply.layer.implied});
  for (std::size_t i = 0; i < reply.findings.size(); ++i) {
    if (reply.findings[i].empty()) continue;  // nobody asks whether a base was looked at
    environment_.store.add_audit(id, platforms::to_string(request.audit_for[i]), pack_findings(reply.findings[i]));
  }
  return true;
}

// From the registry while the download runs; from the store where the blob is there, or where the download had to start
// over and what was unpacked is void.
jobs::UnpackReply Steps::fetch_and_unpack(jobs::UnpackRequest& request, const image::Descriptor& descriptor,
                                          const std::stop_token& stop) {
  if (environment_.images.is_remote(descriptor)) {
    BlobStream stream(environment_.images, descriptor, stop);
    request.digest.clear();  // the download is verified
    request.work = work_directory() + "/layer";
    request.blob = duplicate(stream.fd());
    std::exception_ptr failure;
    jobs::UnpackReply reply;
    try {
      reply = jobs::unpack(environment_.inner.get(), request, stop);
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
  request.work = work_directory() + "/layer";
  request.blob = environment_.images.open_blob(descriptor);
  return jobs::unpack(environment_.inner.get(), request, stop);
}

}  // namespace mbuild::executor
