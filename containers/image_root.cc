#include "containers/image_root.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/partial_file.h"
#include "base/strings.h"
#include "executor/outputs/kept_images.h"
#include "image/image_place.h"
#include "image/oci_layout.h"
#include "oci/reference.h"
#include "oci/select_image.h"

namespace mbuild::containers {
namespace {

bool is_file_or_directory(const std::string& text) {
  return (text.starts_with('/') || text.starts_with('.')) && path_exists(text);
}

// An image in files: its layers become blobs of the store.
frontend::ResolvedImage take_from_files(const std::string& reference, const platforms::Platform& platform,
                                        executor::ImageSources& images, cache::Store& store,
                                        const std::stop_token& stop, bool blobs) {
  const auto no_registry = []() -> remote::Registry& { throw Error(ExitClass::internal, "no registry is meant"); };
  const auto place = image::find_image_place(reference, no_registry, stop);
  const auto description = image::select_image(place.top, platform, place.read, reference, false);
  frontend::ResolvedImage out{fmt::format("{}@{}", reference, description.manifest_digest),
                              frontend::parse_image_config(description.config_bytes)};
  const auto& layers = description.manifest.layers;
  if (layers.size() != out.config.diff_ids.size()) {
    throw Error(ExitClass::usage, fmt::format("{}: the manifest has {} layers but the configuration names {}",
                                              reference, layers.size(), out.config.diff_ids.size()))
        .with_advice("The image is damaged: make it anew.");
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    images.add_layer(out.config.diff_ids[i], layers[i], {});
    const bool is_unpacked = !blobs && store.find_layer(digest_hex(out.config.diff_ids[i]));
    if (is_unpacked || store.use_blob(layers[i].digest, layers[i].size)) continue;
    const Fd from = place.open(layers[i]);
    PartialFile to(store.blob_path(layers[i].digest), 0600);
    image::copy_verified(from.get(), to.fd(), layers[i]);
    to.commit();
    store.added_blob();
  }
  return out;
}

executor::ImageSources::Origin origin_of(const std::string& name);

// One that the store keeps, by its digest: no registry is asked, but for layers that were never fetched.
frontend::ResolvedImage take_from_store(const cache::StoredImage& kept, const platforms::Platform& platform,
                                        executor::ImageSources& images, cache::Store& store) {
  const auto place = executor::stored_place(store, kept);
  const auto description = image::select_image(place.top, platform, place.read, kept.name, false);
  frontend::ResolvedImage out{fmt::format("{}@{}", kept.name, description.manifest_digest),
                              frontend::parse_image_config(description.config_bytes)};
  const auto& layers = description.manifest.layers;
  for (std::size_t i = 0; i < std::min(layers.size(), out.config.diff_ids.size()); ++i) {
    images.add_layer(out.config.diff_ids[i], layers[i], origin_of(kept.name));
    store.use_blob(layers[i].digest, layers[i].size);
  }
  return out;
}

std::map<std::uint32_t, executor::StepTarget> no_targets() { return {}; }

// With its registry and its tag; "": it is none.
std::string name_of(const std::string& word) {
  try {
    return frontend::to_string(frontend::with_default_tag(frontend::parse_reference(word)));
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

frontend::ResolvedImage find_image(const Options& options, executor::ImageSources& images, cache::Store& store,
                                   const std::stop_token& stop, bool blobs) {
  const auto platform = options.platform.value_or(platforms::host_platform());
  if (image::is_layout_reference(options.image) || is_file_or_directory(options.image)) {
    return take_from_files(options.image, platform, images, store, stop, blobs);
  }
  const auto name = name_of(options.image);
  if (name.empty() || !store.find_image(name)) {
    const auto kept = executor::stored_by_digest(store, options.image);
    if (!kept.empty()) return take_from_store(kept.front(), platform, images, store);
    frontend::parse_reference(options.image);  // says what is wrong with it
  }
  if (options.pull == Pull::never && !store.find_image(name)) {
    throw usage_error(fmt::format("the store has no image {}", options.image))
        .with_advice("--pull=missing fetches it; mbuild images lists those there are.");
  }
  return images.resolve({{name, platform}}).front();
}

namespace {

// The name without its digest, and the digest.
std::pair<std::string, Digest> parts_of(const std::string& name) {
  const auto at = name.rfind('@');
  return {name.substr(0, at), at == std::string::npos ? Digest() : Digest(name.substr(at + 1))};
}

executor::ImageSources::Origin origin_of(const std::string& name) {
  const std::string reference = parts_of(name).first;
  if (image::is_layout_reference(reference) || reference.starts_with('/') || reference.starts_with('.')) return {};
  if (reference.starts_with("sha256:")) return {};  // the store keeps it without a name
  try {
    const auto parsed = frontend::parse_reference(reference);
    return {.layout = {}, .repository = remote::Repository{parsed.domain, parsed.path}};
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

frontend::ResolvedImage image_of(const Standing& standing, executor::ImageSources& images) {
  frontend::ResolvedImage out{standing.name, frontend::parse_image_config(standing.config)};
  const auto origin = origin_of(standing.name);
  for (std::size_t i = 0; i < std::min(out.config.diff_ids.size(), standing.blobs.size()); ++i) {
    const auto& blob = standing.blobs[i];
    images.add_layer(out.config.diff_ids[i], {.media_type = blob.media_type, .digest = blob.digest, .size = blob.size},
                     origin);
  }
  return out;
}

Standing standing_of(const frontend::ResolvedImage& image, const std::vector<std::string>& layers,
                     const executor::ImageSources& images) {
  Standing out{
      .name = image.name, .config = frontend::serialise_image_config(image.config), .blobs = {}, .layers = layers};
  for (const auto& diff_id : image.config.diff_ids) {
    const auto blob = images.layer_descriptor(diff_id);
    out.blobs.push_back({blob.media_type, blob.digest, blob.size});
  }
  return out;
}

void keep_pulled(const frontend::ResolvedImage& image, bool anew, const executor::ImageSources& images,
                 cache::Store& store) {
  const auto [name, digest] = parts_of(image.name);
  if (digest.empty() || image.config.diff_ids.empty()) return;
  if (!images.repository_of(images.layer_descriptor(image.config.diff_ids.front()).digest)) return;
  if (!anew && store.find_image(name)) return;
  if (!store.use_blob(digest)) return;
  const auto bytes = read_file(store.blob_path(digest));
  const auto manifest = image::parse_manifest(bytes);
  cache::StoredImage kept{.name = name,
                          .media_type = manifest.media_type,
                          .digest = digest,
                          .size = bytes.size(),
                          .platforms = platforms::to_string(image.config.platform),
                          .created = unix_seconds(),
                          .blobs = {digest, manifest.config.digest},
                          .bytes = bytes.size() + manifest.config.size};
  for (const auto& layer : manifest.layers) {
    kept.blobs.push_back(layer.digest);
    kept.bytes += layer.size;
  }
  for (const auto& blob : kept.blobs) {
    if (!store.use_blob(blob)) return;
  }
  store.add_image(kept);
}

ImageRoot::ImageRoot(const executor::SessionRequest& session, executor::BuildStore& place,
                     executor::Workplace& workplace, executor::ImageSources& images,
                     const frontend::ResolvedImage& image, graph::ExecOp process, const platforms::Platform& platform,
                     const std::stop_token& stop)
    : stop_(stop),
      imports_(
          {}, images, {platform}, [](std::string) {}, stop),
      steps_([&]() -> executor::StepEnvironment {
        image_ = graph_.add({.op = graph::ImageSource{image.name, image.config.diff_ids}, .platform = platform}, {});
        program_ = graph_.add({.op = std::move(process), .inputs = {{image_, 0}}, .platform = platform}, {});
        const graph::Ref root{program_, 0};
        plan_ = planner::make_plan(graph_, {&root, 1});
        return {.graph = graph_,
                .plan = plan_,
                .session = session,
                .targets = {graph_, no_targets()},
                .platforms = {platform},
                .store = place.store,
                .directory = place.directory,
                .images = images,
                .imports = imports_,
                .inner = workplace.inner,
                .network = workplace.network,
                .sink = sink_,
                .warn_of_isolation = [](std::string) {},
                .remove_later = [&workplace](std::string path) { workplace.remove_later(std::move(path)); }};
      }()) {}

executor::RunTask ImageRoot::task() {
  auto task = begin();
  steps_.parts().worker.prepare(task);  // comes up while the layers are prepared
  return with_layers(std::move(task));
}

executor::RunTask ImageRoot::resting_task() { return with_layers(begin()); }

executor::RunTask ImageRoot::begin() { return steps_.parts().tasks.begin(program_, ""); }

executor::RunTask ImageRoot::with_layers(executor::RunTask task) {
  steps_.run(image_, stop_);
  steps_.parts().tasks.complete(task, program_, stop_);
  return task;
}

}  // namespace mbuild::containers
