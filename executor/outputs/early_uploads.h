#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "base/digest.h"
#include "executor/outputs/layer_blobs.h"
#include "executor/sources/base_images.h"

namespace mbuild::executor {

// Uploads of layers to one repository that begin while the layers are still being compressed. Whether the registry has
// a layer already can be asked only when its digest is known: then an upload of what is there is given up, so that no
// more is sent in vain than could be sent while it was compressed. Small layers are left to the push. Thread-safe; what
// fails here is no error, the push does it again.
class EarlyUploads : public BlobWatcher {
 public:
  EarlyUploads(ImageSources& images, remote::Repository repository, std::stop_token stop);
  ~EarlyUploads() override;

  void begun(const std::string& layer_id, const std::string& path) override;
  void made(const std::string& layer_id, const image::Descriptor& blob) override;

  const remote::Repository& repository() const { return repository_; }
  // Waits for the upload of this blob, if there was one: whether the repository has it now.
  bool sent(const Digest& digest);

 private:
  class Upload;  // one layer on its way

  ImageSources& images_;
  const remote::Repository repository_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_stop_;
  std::mutex mutex_;
  std::atomic<std::size_t> running_ = 0;
  std::map<std::string, std::shared_ptr<Upload>> by_layer_;
  std::map<Digest, std::shared_ptr<Upload>> by_digest_;  // those that are to be sent to their end
};

}  // namespace mbuild::executor
