#include "containers/import_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "containers/commit.h"
#include "executor/outputs/stored_images.h"
#include "executor/workplace.h"
#include "files/archive.h"
#include "image/exporters.h"
#include "layers/serialise.h"
#include "oci/reference.h"

namespace mbuild::containers {

Digest import_files(const std::string& store_root, int in, const ImportOptions& options, const std::stop_token& stop) {
  const std::string name =
      options.name.empty() ? ""
                           : frontend::to_string(frontend::with_default_tag(frontend::parse_reference(options.name)));
  frontend::ImageConfig config;
  config.platform = options.platform;
  config = with_changes(config, options.changes);
  if (!executor::is_archive(in)) {
    throw usage_error("this is no tar archive").with_advice("`mbuild load` takes archives of images.");
  }
  if (::lseek(in, 0, SEEK_SET) < 0) throw system_error(errno, "lseek");
  executor::BuildStore place(store_root);
  auto& store = place.store;
  const std::string partial = place.directory.path() + "/import.blob";
  const Fd out = open_file(partial, O_RDWR | O_CREAT | O_EXCL, 0600);
  image::SerialiseOptions serialise;
  serialise.stop = stop;
  const auto made = image::recompress_blob(in, out.get(), serialise);
  store.use_blob(made.digest, made.size);  // removes what can't be it
  if (std::rename(partial.c_str(), store.blob_path(made.digest).c_str()) != 0) {
    throw system_error(errno, "rename " + partial);
  }
  store.added_blob();
  config.created = rfc3339(unix_seconds());
  config.diff_ids = {made.diff_id};
  config.history = {{.created = config.created, .created_by = "", .comment = options.message, .author = ""}};
  image::ImageSet set;
  set.images.push_back(image::assemble_image(
      config,
      {{.media_type = std::string(image::media_type::k_oci_layer_gzip), .digest = made.digest, .size = made.size}},
      config.platform, image::MediaFlavour::oci));
  if (!name.empty()) set.names.push_back(name);
  executor::store_image(
      set, store, [&](const Digest& digest) { return open_file(store.blob_path(digest), O_RDONLY); }, false);
  return set.images.front().manifest.digest;
}

}  // namespace mbuild::containers
