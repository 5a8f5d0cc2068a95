#include "executor/steps/layer_fetcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/error.h"
#include "executor/steps/serialisation_key.h"

// Layers of steps that were found in an imported cache, or that another worker made.
//
// A hit is a promise: the result digest is known, which is all that the keys of the steps above need, and where the
// layer's blob is. The layer is fetched when something has to read it. It is then checked against the promise and takes
// its place in the store like a layer that was made here, its blob as its serialisation.
//
// A promise that can't be kept (the blob is gone, damaged, another's, or the cache never had it: mode=min) ends in
// PromiseBroken: the steps are looked up again without it. What has been run meanwhile is found in the store, and the
// steps above the lost one are found only if its result turns out the same: nothing stale can remain.
namespace mbuild::executor {

void keep_import(cache::Store& store, const planner::Plan& plan, const StepTable& table, graph::NodeId id,
                 const image::CachedStep& step, const cache::Layer& layer) {
  store.add_record({.content_key = step.key,
                    .layers = {layer.id},
                    .created = step.created,
                    .duration_ms = step.duration_ms,
                    .emulator = step.emulator,
                    .name = step.name});
  store.add_definition(plan.definition_keys[id], table.traces[id].inputs, step.key);
}

const cache::Layer& LayerFetcher::fetch_promised(const SnapshotLayer& wanted, const std::stop_token& stop) {
  if (!wanted.held && wanted.imported->blob.digest.empty()) throw PromiseBroken{wanted.result_digest};
  const auto lock = parts_.store.lock_layer(wanted.result_digest, stop);
  if (const auto* layer = parts_.layers.find(wanted.id)) return *layer;
  try {
    return wanted.held ? unpack_held(wanted, stop) : unpack_promised(wanted, stop);
  } catch (const Error& error) {
    if (wanted.held) wanted.held->at->broken = true;  // else it would promise the same again
    break_promise(wanted.result_digest, error);
  }
}

void LayerFetcher::break_promise(const Digest& result, const Error& why) const {
  parts_.imports.warn(fmt::format("a layer of an imported cache can't be used, its step is run: {}", why.what()));
  throw PromiseBroken{result};
}

std::optional<Digest> promised_result(const StepTable& table, const Digest& blob) {
  for (const auto& outputs : table.results) {
    if (outputs.empty() || outputs[0].layers.empty()) continue;
    const auto& layer = *outputs[0].layers.back();
    if (layer.imported && layer.imported->blob.digest == blob) return layer.result_digest;
  }
  return std::nullopt;
}

const cache::Layer& LayerFetcher::unpack_promised(const SnapshotLayer& wanted, const std::stop_token& stop) {
  auto& store = parts_.store;
  const auto& promised = *wanted.imported;
  parts_.images.fetch_blob(promised.blob);
  jobs::UnpackRequest request;
  request.blob = parts_.images.open_blob(promised.blob);
  request.media_type = promised.blob.media_type;
  request.digest = promised.blob.digest;
  request.size = promised.blob.size;
  request.diff_id = promised.diff_id;
  request.summarise = true;
  request.owners = parts_.inner.map().owner_mode();
  request.work = parts_.work.next() + "/layer";
  request.final_path = request.final_path_on_lowers = store.layer_path(wanted.id);
  const auto reply = jobs::unpack(parts_.inner.get(), request, stop);
  const Digest& key = parts_.table.traces[*wanted.made_by].key;
  // Of a step that sets times, the content key is part of the result digest.
  if (!is_result_of(wanted.result_digest, reply.layer.result_digest, key))
    throw Error(ExitClass::network, fmt::format("the blob {} does not hold what the cache says", promised.blob.digest));
  const auto& layer = parts_.layers.add({.id = wanted.id,
                                         .result_digest = wanted.result_digest,
                                         .pulled = false,
                                         .bytes = reply.layer.bytes,
                                         .files = reply.layer.files,
                                         .newest_mtime = reply.layer.newest_mtime,
                                         .implied = reply.layer.implied});
  store.add_serialisation(serialisation_key(wanted.id, promised),
                          {.diff_id = promised.diff_id, .digest = promised.blob.digest, .size = promised.blob.size});
  if (const auto hit = parts_.imports.find_step(key))
    keep_import(store, parts_.plan, parts_.table, *wanted.made_by, hit->step, layer);
  return layer;
}

const cache::Layer& LayerFetcher::unpack_held(const SnapshotLayer& wanted, const std::stop_token& stop) {
  const std::string work = parts_.work.next();
  jobs::UnpackRequest request;
  request.blob = open_file(work, O_TMPFILE | O_RDWR, 0600);
  wanted.held->at->worker->get(
      wanted.id,
      [&](std::string_view bytes) {
        write_all(request.blob.get(), bytes);
        request.size += bytes.size();
      },
      stop);
  ::lseek(request.blob.get(), 0, SEEK_SET);
  request.summarise = true;
  request.owners = parts_.inner.map().owner_mode();
  request.work = work + "/layer";
  request.final_path = request.final_path_on_lowers = parts_.store.layer_path(wanted.id);
  auto reply = jobs::unpack(parts_.inner.get(), request, stop);
  if (!is_result_of(wanted.result_digest, reply.layer.result_digest, parts_.table.traces[*wanted.made_by].key))
    throw Error(ExitClass::network, fmt::format("the layer {} of a worker is not what it made", wanted.id));
  return parts_.layers.add({.id = wanted.id,
                            .result_digest = wanted.result_digest,
                            .pulled = false,
                            .bytes = reply.layer.bytes,
                            .files = reply.layer.files,
                            .newest_mtime = reply.layer.newest_mtime,
                            .implied = std::move(reply.layer.implied)});
}

}  // namespace mbuild::executor
