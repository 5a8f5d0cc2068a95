#include <fmt/format.h>

#include "base/error.h"
#include "executor/steps/serialisation_key.h"
#include "executor/steps/steps.h"

// Steps that were found in an imported cache.
//
// A hit is a promise: the result digest is known, which is all that the keys of the steps above need, and where the
// layer's blob is. The layer is fetched when something has to read it. It is then checked against the promise and takes
// its place in the store like a layer that was made here, its blob as its serialisation.
//
// A promise that can't be kept (the blob is gone, damaged, another's, or the cache never had it: mode=min) ends in
// PromiseBroken: the steps are looked up again without it. What has been run meanwhile is found in the store, and the
// steps above the lost one are found only if its result turns out the same: nothing stale can remain.
namespace mbuild::executor {

bool Steps::use_import(graph::NodeId id, const Digest& key) {
  const auto hit = environment_.imports.find_step(key);
  if (!hit) return false;
  auto& trace = table_.traces[id];
  trace.key = key;
  trace.kept = true;
  auto& store = environment_.store;
  SnapshotLayer layer{.id = std::string(digest_hex(hit->step.result).substr(0, 32)),
                      .result_digest = hit->step.result,
                      .cause = cause_of(environment_.graph.nodes[id]),
                      .pulled = false,
                      .created = hit->step.created,
                      .made_by = id};
  if (auto local = store.find_layer_by_result(hit->step.result)) {
    layer.id = local->id;
    remember_import(id, hit->step, remember(std::move(*local)));
  } else {
    layer.imported = hit->layer;
  }
  table_.set_result(id, std::make_shared<const SnapshotLayer>(std::move(layer)));
  report_cached(id);
  return true;
}

void Steps::remember_import(graph::NodeId id, const image::CachedStep& step, const cache::Layer& layer) {
  auto& store = environment_.store;
  store.add_record({.content_key = step.key,
                    .layers = {layer.id},
                    .created = step.created,
                    .duration_ms = step.duration_ms,
                    .emulator = step.emulator,
                    .name = step.name});
  store.add_definition(environment_.plan.definition_keys[id], table_.traces[id].inputs, step.key);
}

const cache::Layer& Steps::unpack_import(const SnapshotLayer& wanted, std::stop_token stop) {
  const auto& blob = wanted.imported->blob;
  if (blob.digest.empty()) throw PromiseBroken{wanted.result_digest};
  const auto lock = environment_.store.lock_layer(wanted.result_digest, stop);
  if (const auto* layer = find_layer(wanted.id)) return *layer;
  try {
    return unpack_promised(wanted, stop);
  } catch (const Error& error) {
    break_promise(wanted.result_digest, error);
  }
}

void Steps::break_promise(const Digest& result, const Error& why) const {
  environment_.imports.warn(fmt::format("a layer of an imported cache can't be used, its step is run: {}", why.what()));
  throw PromiseBroken{result};
}

std::optional<Digest> Steps::promised_result(const Digest& blob) const {
  for (const auto& outputs : table_.results) {
    if (outputs.empty() || outputs[0].layers.empty()) continue;
    const auto& layer = *outputs[0].layers.back();
    if (layer.imported && layer.imported->blob.digest == blob) return layer.result_digest;
  }
  return std::nullopt;
}

const cache::Layer& Steps::unpack_promised(const SnapshotLayer& wanted, std::stop_token stop) {
  auto& store = environment_.store;
  const auto& promised = *wanted.imported;
  environment_.images.fetch_blob(promised.blob);
  jobs::UnpackRequest request;
  request.blob = environment_.images.open_blob(promised.blob);
  request.media_type = promised.blob.media_type;
  request.digest = promised.blob.digest;
  request.size = promised.blob.size;
  request.diff_id = promised.diff_id;
  request.summarise = true;
  request.owners = owner_mode();
  request.work = work_directory() + "/layer";
  request.final_path = request.final_path_on_lowers = store.layer_path(wanted.id);
  const auto reply = jobs::unpack(environment_.inner.get(), request, stop);
  const Digest& key = table_.traces[*wanted.made_by].key;
  // Of a step that sets times, the content key is part of the result digest.
  if (!is_result_of(wanted.result_digest, reply.layer.result_digest, key))
    throw Error(ExitClass::network, fmt::format("the blob {} does not hold what the cache says", promised.blob.digest));
  const auto& layer = add_layer({.id = wanted.id,
                                 .result_digest = wanted.result_digest,
                                 .pulled = false,
                                 .bytes = reply.layer.bytes,
                                 .files = reply.layer.files,
                                 .newest_mtime = reply.layer.newest_mtime,
                                 .implied = reply.layer.implied});
  store.add_serialisation(serialisation_key(wanted.id, promised),
                          {.diff_id = promised.diff_id, .digest = promised.blob.digest, .size = promised.blob.size});
  if (const auto hit = environment_.imports.find_step(key)) remember_import(*wanted.made_by, hit->step, layer);
  return layer;
}

std::vector<Steps::Exported> Steps::exported() const {
  std::vector<Exported> out;
  for (const auto id : environment_.plan.order) {
    const auto& trace = table_.traces[id];
    if (!trace.kept) continue;
    const auto& layer = table_.results[id].at(0).layers.back();
    image::CachedStep step{.definition = environment_.plan.definition_keys[id],
                           .inputs = trace.inputs,
                           .key = trace.key,
                           .result = layer->result_digest,
                           .created = layer->created,
                           .emulator = {},
                           .name = environment_.graph.info[id].front().instruction};
    if (const auto record = environment_.store.find_record(trace.key)) {
      step.duration_ms = record->duration_ms;
      step.emulator = record->emulator;
    }
    out.push_back({std::move(step), layer});
  }
  return out;
}

bool Steps::forget_lost_layers() {
  const std::lock_guard guard(mutex_);
  return std::erase_if(layers_, [&](const auto& known) { return !environment_.store.find_layer(known.first); }) > 0;
}

void Steps::start_over() {
  for (auto& results : table_.results) results.clear();
  for (auto& trace : table_.traces) trace.kept = false;
}

}  // namespace mbuild::executor
