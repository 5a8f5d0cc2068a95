#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/growing_file.h"
#include "executor/outputs/layer_blobs.h"
#include "image/exporters.h"

namespace mbuild::executor {

// An archive whose first blobs, the layers, are written while they are being compressed: each in its turn, so that the
// archive is the same whichever is made first. The file must be one that can be sought in.
class EarlyArchive : public BlobWatcher {
 public:
  using Open = std::function<Fd(const image::Descriptor&)>;
  // `open` gives the bytes of a blob that was made; `layers` is the order.
  EarlyArchive(int fd, std::vector<std::string> layers, Open open);
  ~EarlyArchive() override;

  void begun(const std::string& layer_id, const std::string& path) override;
  // Throws what went wrong with writing so far: there is no need to make more.
  void made(const std::string& layer_id, const image::Descriptor& blob) override;

  // When all were made: waits until the layers are written. Throws what went wrong with that.
  image::LayoutTar& finish();

 private:
  struct Layer {
    std::shared_ptr<GrowingFile> growing;  // open as long as it may have to be followed
    bool followed = false;
    std::optional<image::Descriptor> blob;
  };

  void write_layers();
  // Waits for a layer to be begun or made; a layer that is not made yet is then followed.
  Layer next(const std::string& layer_id);
  image::Descriptor wait_for_end(const std::string& layer_id);
  void write(const std::string& layer_id);
  void follow(GrowingFile& file, int to);

  std::stop_source stop_;  // the archive is given up
  image::LayoutTar tar_;
  const std::vector<std::string> order_;
  const Open open_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Layer> layers_;
  std::exception_ptr failure_;
  std::jthread thread_;  // last: joined before the rest goes
};

}  // namespace mbuild::executor
