#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/store.h"
#include "executor/outputs/environment.h"
#include "executor/steps/snapshot.h"
#include "oci/manifest.h"
#include "worker/jobs/jobs.h"

namespace mbuild::executor {

struct LayerFormat {
  image::Compression compression = image::Compression::gzip;
  std::optional<int> level;
  bool force = false;                 // pulled layers in another compression are compressed anew
  std::optional<std::int64_t> clamp;  // of file times
};

// The level that --reproducible asks for: of compressors whose bytes are the same on every processor, and named in the
// key of what is kept, so that a default of another time is not taken for it.
std::optional<int> reproducible_level(image::Compression compression);

// The level as keys have it: -1 for the default. zstd's are counted from 200, the default being 199: those below are of
// older streams, which had other blocks or tables.
int level_in_key(const LayerFormat& format);

// Who wants to know of blobs before all are there. Called by several threads.
class BlobWatcher {
 public:
  virtual ~BlobWatcher() = default;
  // The blob of a layer is being written to the file at `path`, from its start to its end.
  virtual void begun(const std::string& layer_id, const std::string& path) = 0;
  // It is complete, or was there before; of each layer.
  virtual void made(const std::string& layer_id, const image::Descriptor& blob) = 0;
};

// The layers of a build's images as blobs: each is made once, whatever the number of images and outputs that have it.
class LayerBlobs {
 public:
  struct Blob {
    Digest diff_id;
    image::Descriptor descriptor;
  };

  LayerBlobs(const ExportEnvironment& environment, LayerFormat format) : environment_(environment), format_(format) {}

  // The layers of all images, each once and in the order in which an archive has them.
  std::vector<std::string> layer_ids() const;
  // Makes the blobs of all layers of all images, in parallel. `fetch`: blobs of imported caches are brought here too;
  // a push needs only those that its registry lacks.
  void prepare(std::stop_token stop, bool fetch = true, BlobWatcher* watcher = nullptr);
  // Those of layers for all platforms of the build.
  void prepare(const LayerList& layers, std::stop_token stop);
  // Opens a blob that was prepared. Throws PromiseBroken for one of an imported cache that can't be had.
  Fd open(const image::Descriptor& descriptor) const;
  const LayerFormat& format() const { return format_; }
  const Blob& of(const SnapshotLayer& layer) const { return blobs_.at(layer.id); }
  // What the architecture audit found in a layer, and what its files need to be run by.
  std::vector<emu::AuditFinding> findings(const std::string& layer_id, const platforms::Platform& platform) const;

 private:
  struct Wanted {
    std::shared_ptr<const SnapshotLayer> layer;
    std::vector<platforms::Platform> platforms;
  };

  std::vector<Wanted> wanted() const;
  void make(const std::vector<Wanted>& wanted, const std::stop_token& stop);
  // The blob of an imported cache, where it is as the format asks for and its files need not be looked at.
  std::optional<Blob> imported(const Wanted& wanted) const;
  Blob pulled(const SnapshotLayer& layer, const std::stop_token& stop) const;
  Blob local(const Wanted& wanted, const std::stop_token& stop) const;
  cache::Serialisation serialise(const Wanted& wanted, const cache::SerialisationKey& key,
                                 const std::stop_token& stop) const;
  cache::Serialisation keep_blob(const std::string& layer_id, const cache::SerialisationKey& key,
                                 const std::function<image::Serialisation(int)>& write) const;

  const ExportEnvironment& environment_;
  const LayerFormat format_;
  std::map<std::string, Blob> blobs_;  // by layer id
  bool fetch_ = true;
  BlobWatcher* watcher_ = nullptr;
};

}  // namespace mbuild::executor
