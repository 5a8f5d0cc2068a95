#include "executor/outputs/early_uploads.h"

#include <cstdint>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/growing_file.h"

namespace mbuild::executor {
namespace {

constexpr std::uint64_t k_worth_while = 8 << 20;  // bytes that a blob has before its upload begins
constexpr std::size_t k_at_once = 4;

}  // namespace

class EarlyUploads::Upload {
 public:
  Upload(ImageSources& images, const remote::Repository& repository, const std::string& path,
         std::atomic<std::size_t>& running, std::stop_token stop)
      : file_(path), thread_([this, &images, &repository, &running, stop = std::move(stop)] {
          const std::stop_callback on_stop(stop, [this] { abandon(); });
          send(images, repository);
          --running;
        }) {}
  ~Upload() { abandon(); }

  bool has_begun() const { return file_.size() > k_worth_while; }
  void complete(const Digest& digest) {
    {
      const std::lock_guard lock(mutex_);
      digest_ = digest;
    }
    file_.complete();
  }
  void abandon() {
    stop_.request_stop();
    file_.abandon();
  }
  bool sent() {
    if (thread_.joinable()) thread_.join();
    return sent_;
  }

 private:
  void send(ImageSources& images, const remote::Repository& repository) {
    try {
      if (!file_.wait_for(k_worth_while)) return;
      std::uint64_t offset = 0;
      remote::HttpUpload source;
      source.read = [&](char* into, std::size_t room) {
        const auto n = file_.read(into, room, offset);
        offset += n;
        return n;
      };
      source.rewind = [&] { offset = 0; };
      images.registry().push_stream(repository, source, [this] { return digest(); }, stop_.get_token());
      sent_ = true;
    } catch (const std::exception&) {  // cancelled or failed: the push does it again, and says what is wrong
    }
  }

  Digest digest() {
    const std::lock_guard lock(mutex_);
    if (digest_.empty()) throw Cancelled();  // the registry did not wait for the end
    return digest_;
  }

  GrowingFile file_;
  std::mutex mutex_;
  std::stop_source stop_;
  Digest digest_;  // once the file is complete
  bool sent_ = false;
  std::jthread thread_;  // last: joined before the rest goes
};

EarlyUploads::EarlyUploads(ImageSources& images, remote::Repository repository, std::stop_token stop)
    : images_(images),
      repository_(std::move(repository)),
      on_stop_(std::move(stop), [this] { stop_.request_stop(); }) {}

EarlyUploads::~EarlyUploads() { stop_.request_stop(); }

void EarlyUploads::begun(const std::string& layer_id, const std::string& path) {
  if (++running_ > k_at_once) {
    --running_;
    return;
  }
  auto upload = std::make_shared<Upload>(images_, repository_, path, running_, stop_.get_token());
  const std::lock_guard lock(mutex_);
  by_layer_.emplace(layer_id, std::move(upload));
}

void EarlyUploads::made(const std::string& layer_id, const image::Descriptor& blob) {
  std::shared_ptr<Upload> upload;
  {
    const std::lock_guard lock(mutex_);
    auto node = by_layer_.extract(layer_id);
    if (node.empty()) return;
    upload = std::move(node.mapped());
  }
  bool there = !upload->has_begun();
  try {
    there = there || images_.registry().has_blob(repository_, blob.digest, stop_.get_token());
  } catch (const Error&) {  // the push will say it
  }
  if (there) return;  // which gives it up
  const std::lock_guard lock(mutex_);
  if (by_digest_.emplace(blob.digest, upload).second) upload->complete(blob.digest);
}

bool EarlyUploads::sent(const Digest& digest) {
  std::shared_ptr<Upload> upload;
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_digest_.find(digest);
    if (found == by_digest_.end()) return false;
    upload = found->second;
  }
  return upload->sent();
}

}  // namespace mbuild::executor
