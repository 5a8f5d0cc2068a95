#include "layers/blob_reader.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <exception>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "layers/bounded_queue.h"
#include "layers/decompress.h"

namespace mbuild::image {
namespace {

constexpr std::size_t k_input_size = 512 * 1024;
constexpr std::size_t k_chunk_size = 1024 * 1024;
constexpr std::size_t k_chunks_ahead = 4;

}  // namespace

struct BlobReader::Impl {
  Impl(int fd, bool hash, std::stop_token stop, std::function<void(std::uint64_t)> progress)
      : fd(fd),
        hash(hash),
        stop(std::move(stop)),
        progress(std::move(progress)),
        wake(::eventfd(0, EFD_CLOEXEC)),
        queue(k_chunks_ahead) {
    if (!wake) throw system_error(errno, "eventfd", ExitClass::host);
  }

  void cancel() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake.get(), &one, sizeof one);
    queue.abandon();
  }

  void run() {
    try {
      read_and_decompress();
    } catch (...) {
      failure = std::current_exception();
    }
    queue.close();
  }

  void read_and_decompress() {
    Sha256 sha;
    Decompressor decompressor;
    std::string input(k_input_size, '\0'), chunk;
    const Decompressor::Emit emit = [&](std::string_view bytes) {
      chunk += bytes;
      if (chunk.size() < k_chunk_size) return;
      if (!queue.push(std::move(chunk))) throw Cancelled();
      chunk = {};
      chunk.reserve(k_chunk_size + k_input_size);
    };
    std::exception_ptr broken;  // the rest is read all the same, because a wrong digest is the better message
    while (const std::size_t n = read_some(input)) {
      const std::string_view piece(input.data(), n);
      if (hash) sha.update(piece);
      facts.size += n;
      if (progress) progress(facts.size);
      if (!broken) broken = attempt([&] { decompressor.feed(piece, emit); });
    }
    if (!broken) broken = attempt([&] { decompressor.finish(emit); });
    if (hash) facts.digest = sha.digest();
    if (broken) std::rethrow_exception(broken);
    if (!chunk.empty()) queue.push(std::move(chunk));
  }

  template <typename Work>
  static std::exception_ptr attempt(Work work) {
    try {
      work();
      return nullptr;
    } catch (const Error&) {
      return std::current_exception();
    }
  }

  std::size_t read_some(std::string& buffer) {
    for (;;) {
      if (stop.stop_requested()) throw Cancelled();
      pollfd fds[2] = {{fd, POLLIN, 0}, {wake.get(), POLLIN, 0}};
      if (::poll(fds, 2, -1) < 0 && errno != EINTR) throw system_error(errno, "poll", ExitClass::host);
      if (fds[1].revents != 0) throw Cancelled();
      if (fds[0].revents == 0) continue;
      const ssize_t n = ::read(fd, buffer.data(), buffer.size());
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR && errno != EAGAIN) throw system_error(errno, "read a layer");
    }
  }

  int fd;
  bool hash;
  std::stop_token stop;
  std::function<void(std::uint64_t)> progress;
  Fd wake;
  BoundedQueue<std::string> queue;
  std::string current;
  BlobFacts facts;
  std::exception_ptr failure;
  std::jthread thread;
  std::optional<std::stop_callback<std::function<void()>>> on_stop;
};

BlobReader::BlobReader(int fd, bool hash, std::stop_token stop, std::function<void(std::uint64_t)> progress)
    : impl_(std::make_unique<Impl>(fd, hash, stop, std::move(progress))) {
  impl_->thread = std::jthread([impl = impl_.get()] { impl->run(); });
  impl_->on_stop.emplace(std::move(stop), [impl = impl_.get()] { impl->cancel(); });
}

BlobReader::~BlobReader() {
  impl_->cancel();
  if (impl_->thread.joinable()) impl_->thread.join();
}

std::string_view BlobReader::next() {
  auto chunk = impl_->queue.pop();
  if (chunk) {
    impl_->current = std::move(*chunk);
    return impl_->current;
  }
  if (impl_->thread.joinable()) impl_->thread.join();
  if (impl_->stop.stop_requested()) throw Cancelled();
  if (impl_->failure) std::rethrow_exception(impl_->failure);
  return {};
}

void BlobReader::read_to_end() {
  while (impl_->queue.pop()) {
  }
  if (impl_->thread.joinable()) impl_->thread.join();
  if (impl_->stop.stop_requested()) throw Cancelled();
}

BlobFacts BlobReader::facts() const { return impl_->facts; }

}  // namespace mbuild::image
