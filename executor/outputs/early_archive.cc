#include "executor/outputs/early_archive.h"

#include <utility>

#include "base/error.h"

namespace mbuild::executor {

EarlyArchive::EarlyArchive(int fd, std::vector<std::string> layers, Open open)
    : tar_(fd, stop_.get_token()),
      order_(std::move(layers)),
      open_(std::move(open)),
      thread_([this] { write_layers(); }) {}

EarlyArchive::~EarlyArchive() {
  const std::lock_guard lock(mutex_);
  stop_.request_stop();
  for (auto& [id, layer] : layers_) {
    if (layer.growing) layer.growing->abandon();
  }
  changed_.notify_all();
}

void EarlyArchive::begun(const std::string& layer_id, const std::string& path) {
  auto growing = std::make_shared<GrowingFile>(path);
  const std::lock_guard lock(mutex_);
  layers_[layer_id].growing = std::move(growing);
  changed_.notify_all();
}

void EarlyArchive::made(const std::string& layer_id, const image::Descriptor& blob) {
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
  auto& layer = layers_[layer_id];
  layer.blob = blob;
  if (layer.growing) layer.growing->complete();
  if (!layer.followed) layer.growing.reset();
  changed_.notify_all();
}

image::LayoutTar& EarlyArchive::finish() {
  thread_.join();
  if (failure_) std::rethrow_exception(failure_);
  return tar_;
}

void EarlyArchive::write_layers() {
  try {
    for (const auto& id : order_) write(id);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
}

EarlyArchive::Layer EarlyArchive::next(const std::string& layer_id) {
  std::unique_lock lock(mutex_);
  auto& layer = layers_[layer_id];
  changed_.wait(lock, [&] { return stop_.stop_requested() || layer.growing || layer.blob; });
  if (stop_.stop_requested()) throw Cancelled();
  layer.followed = !layer.blob;
  return layer;
}

image::Descriptor EarlyArchive::wait_for_end(const std::string& layer_id) {
  std::unique_lock lock(mutex_);
  const auto& layer = layers_[layer_id];
  changed_.wait(lock, [&] { return stop_.stop_requested() || layer.blob; });
  if (stop_.stop_requested()) throw Cancelled();
  return *layer.blob;
}

void EarlyArchive::write(const std::string& layer_id) {
  const auto layer = next(layer_id);
  const image::OpenBlob open_blob = [&](const Digest&) { return open_(wait_for_end(layer_id)); };
  if (layer.blob) return tar_.add({*layer.blob}, open_blob);
  tar_.add_growing(
      [&](int to) {
        follow(*layer.growing, to);
        return wait_for_end(layer_id);
      },
      open_blob);
  const std::lock_guard lock(mutex_);
  layers_[layer_id].growing.reset();
}

void EarlyArchive::follow(GrowingFile& file, int to) {
  constexpr std::size_t k_piece = 1 << 20;
  const auto buffer = std::make_unique_for_overwrite<char[]>(k_piece);
  DropBehind written(to);
  std::uint64_t offset = 0;
  while (const std::size_t n = file.read(buffer.get(), k_piece, offset)) {
    write_all(to, {buffer.get(), n});
    written.advance(n);
    offset += n;
  }
}

}  // namespace mbuild::executor
