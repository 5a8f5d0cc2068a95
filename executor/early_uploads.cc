#include "executor/early_uploads.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild::executor {
namespace {

constexpr std::uint64_t k_worth_while = 8 << 20;  // bytes that a blob has before its upload begins
constexpr std::size_t k_at_once = 4;
constexpr std::chrono::milliseconds k_look_again{20};  // how long the file may grow unseen

}  // namespace

class EarlyUploads::Upload {
 public:
  Upload(ImageSources& images, const remote::Repository& repository, const std::string& path,
         std::atomic<std::size_t>& running, std::stop_token stop)
      : file_(open_file(path, O_RDONLY)), thread_([this, &images, &repository, &running, stop = std::move(stop)] {
          const std::stop_callback on_stop(stop, [this] { abandon(); });
          send(images, repository);
          --running;
        }) {}
  ~Upload() { abandon(); }

  bool has_begun() const { return size() > k_worth_while; }
  void complete(const Digest& digest) {
    const std::lock_guard lock(mutex_);
    digest_ = digest;
    changed_.notify_all();
  }
  void abandon() {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    stop_.request_stop();
    changed_.notify_all();
  }
  bool sent() {
    if (thread_.joinable()) thread_.join();
    return sent_;
  }

 private:
  void send(ImageSources& images, const remote::Repository& repository) {
    try {
      if (!wait_for(k_worth_while)) return;
      remote::HttpUpload source;
      source.read = [this](char* into, std::size_t room) { return read(into, room); };
      source.rewind = [this] { offset_ = 0; };
      const auto blob = images.registry().push_stream(repository, source, stop_.get_token());
      const std::lock_guard lock(mutex_);
      sent_ = blob.digest == digest_;
    } catch (const std::exception&) {  // cancelled or failed: the push does it again, and says what is wrong
    }
  }

  std::uint64_t size() const {
    struct stat status;
    if (::fstat(file_.get(), &status) < 0) throw system_error(errno, "stat of a blob");
    return static_cast<std::uint64_t>(status.st_size);
  }

  // Waits until the file is longer than `count`; false when it is complete and is not, or when nobody needs it.
  bool wait_for(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const bool complete = !digest_.empty();
      if (abandoned_) return false;
      if (size() > count) return true;
      if (complete) return false;
      changed_.wait_for(lock, k_look_again);
    }
  }

  std::size_t read(char* into, std::size_t room) {
    if (!wait_for(offset_)) {
      if (stop_.stop_requested()) throw Cancelled();
      return 0;
    }
    ssize_t n;
    do n = ::pread(file_.get(), into, room, static_cast<off_t>(offset_));
    while (n < 0 && errno == EINTR);
    if (n < 0) throw system_error(errno, "read a blob");
    offset_ += static_cast<std::uint64_t>(n);
    return static_cast<std::size_t>(n);
  }

  const Fd file_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::stop_source stop_;
  Digest digest_;  // "" while the file grows
  bool abandoned_ = false, sent_ = false;
  std::uint64_t offset_ = 0;  // of the uploading thread
  std::jthread thread_;       // last: joined before the rest goes
};

EarlyUploads::EarlyUploads(ImageSources& images, remote::Repository repository, std::stop_token stop)
    : images_(images),
      repository_(std::move(repository)),
      on_stop_(std::move(stop), [this] { stop_.request_stop(); }) {}

EarlyUploads::~EarlyUploads() { stop_.request_stop(); }

std::shared_ptr<EarlyUploads::Upload> EarlyUploads::follow(const std::string& path) {
  if (++running_ <= k_at_once) return std::make_shared<Upload>(images_, repository_, path, running_, stop_.get_token());
  --running_;
  return nullptr;
}

void EarlyUploads::complete(const std::shared_ptr<Upload>& upload, const Digest& digest) {
  bool there = !upload->has_begun();
  try {
    there = there || images_.registry().has_blob(repository_, digest, stop_.get_token());
  } catch (const Error&) {  // the push will say it
  }
  if (there) return upload->abandon();
  upload->complete(digest);
  const std::lock_guard lock(mutex_);
  uploads_.emplace(digest, upload);
}

bool EarlyUploads::sent(const Digest& digest) {
  std::shared_ptr<Upload> upload;
  {
    const std::lock_guard lock(mutex_);
    const auto found = uploads_.find(digest);
    if (found == uploads_.end()) return false;
    upload = found->second;
  }
  return upload->sent();
}

}  // namespace mbuild::executor
