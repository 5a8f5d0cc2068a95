#include "containers/commit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "containers/exec.h"
#include "containers/process.h"
#include "containers/resting.h"
#include "executor/outputs/stored_images.h"
#include "frontend/frontend.h"
#include "image/exporters.h"
#include "oci/reference.h"
#include "worker/jobs/jobs.h"

namespace mbuild::containers {
namespace {

// What the container has written, as a blob of the store.
image::Serialisation written_layer(Resting& resting, const Container& container, const std::stop_token& stop) {
  const std::string partial = resting.work_directory() + "/commit.blob";
  const Fd out = open_file(partial, O_RDWR | O_CREAT | O_EXCL, 0600);
  executor::jobs::SerialiseRequest request;
  request.out = duplicate(out.get());
  request.path = container.directory + "/root/upper";
  request.owners = resting.workplace().inner.map().owner_mode();
  request.without_nodes = true;
  const auto made = executor::jobs::serialise(resting.workplace().inner.get(), std::move(request), stop).serialisation;
  auto& store = resting.store();
  store.use_blob(made.digest, made.size);  // removes what can't be it
  if (std::rename(partial.c_str(), store.blob_path(made.digest).c_str()) != 0) {
    throw system_error(errno, "rename " + partial);
  }
  store.added_blob();
  return made;
}

// The blobs of the image that the container stands on, in the store.
std::vector<image::Descriptor> layers_below(Resting& resting, const Container& container, const std::stop_token& stop) {
  auto& store = resting.store();
  std::vector<image::Descriptor> out;
  for (const auto& diff_id : resting.image().config.diff_ids) out.push_back(resting.images().layer_descriptor(diff_id));
  const auto is_missing = [&](const auto& layer) { return !store.use_blob(layer.digest, layer.size); };
  if (std::ranges::none_of(out, is_missing)) return out;
  const auto& options = container.record.options;
  try {
    find_image(options, resting.images(), store, stop, true);  // they may be where the image is
    for (const auto& layer : out) {
      if (is_missing(layer)) resting.images().fetch_blob(layer);
    }
  } catch (Error& error) {
    throw error.with_context(fmt::format("the image that {} stands on is no longer whole", container.record.name));
  }
  return out;
}

frontend::ImageConfig committed(const frontend::ImageConfig& image, const Container& container,
                                const CommitOptions& options) {
  auto config = config_of(image, container.record.options);
  config.created = rfc3339(unix_seconds());
  if (!options.author.empty()) config.author = options.author;
  config.history.push_back({.created = config.created,
                            .created_by = container.running ? join(container.running->argv, " ") : "",
                            .comment = options.message,
                            .author = options.author});
  return config;
}

constexpr std::array k_changes = {"CMD",     "ENTRYPOINT", "ENV",  "EXPOSE", "HEALTHCHECK", "LABEL",
                                  "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"};

void check_change(const std::string& text) {
  const std::string line(trim(text));
  const std::string word = to_upper(line.substr(0, line.find_first_of(" \t")));
  if (line.find('\n') == std::string::npos && std::ranges::find(k_changes, word) != k_changes.end()) return;
  throw usage_error(fmt::format("invalid --change \"{}\"", clean_line(text)))
      .with_advice(
          "It is one instruction, of these: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, "
          "STOPSIGNAL, USER, VOLUME, WORKDIR.");
}

}  // namespace

// The instructions as a Dockerfile on an image with this configuration, but for what its triggers would do.
frontend::ImageConfig with_changes(const frontend::ImageConfig& config, const std::vector<std::string>& changes) {
  if (changes.empty()) return config;
  std::string text = "FROM container\n";
  for (const auto& change : changes) {
    check_change(change);
    text += change + "\n";
  }
  frontend::Request request;
  request.dockerfile = frontend::dockerfile::parse_dockerfile(text, "--change");
  request.platforms = {config.platform};
  request.build_platform = config.platform;
  request.resolve = [&](const std::vector<frontend::ImageQuery>& queries) {
    std::vector<frontend::ResolvedImage> out;
    for (const auto& query : queries) {
      out.push_back({query.reference + "@sha256:" + std::string(64, '0'), config});
      out.back().config.on_build.clear();
    }
    return out;
  };
  auto out = frontend::lower(request).images.front().config;
  out.on_build.insert(out.on_build.begin(), config.on_build.begin(), config.on_build.end());
  out.platform = config.platform;
  out.created = config.created;
  out.diff_ids = config.diff_ids;
  out.history = config.history;
  return out;
}

Digest commit(const executor::SessionRequest& session, const Container& container, const CommitOptions& options,
              const std::stop_token& stop) {
  const std::string name =
      options.name.empty() ? ""
                           : frontend::to_string(frontend::with_default_tag(frontend::parse_reference(options.name)));
  Resting resting(session, container, stop);
  auto layers = layers_below(resting, container, stop);
  const auto made = [&] {
    Fd pause;
    if (options.pause && container.state == State::running) pause = hold_still(container);
    return written_layer(resting, container, stop);
  }();
  auto config = with_changes(committed(resting.image().config, container, options), options.changes);
  config.diff_ids.push_back(made.diff_id);
  layers.push_back(
      {.media_type = std::string(image::media_type::k_oci_layer_gzip), .digest = made.digest, .size = made.size});
  image::ImageSet set;
  set.images.push_back(image::assemble_image(config, std::move(layers), config.platform, image::MediaFlavour::oci));
  if (!name.empty()) set.names.push_back(name);
  auto& store = resting.store();
  executor::store_image(
      set, store, [&](const Digest& digest) { return open_file(store.blob_path(digest), O_RDONLY); }, false);
  return set.images.front().manifest.digest;
}

}  // namespace mbuild::containers
