#include "executor/sources/blob_stream.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace mbuild::executor {
namespace {

constexpr int k_pipe_size = 1 << 20;

}  // namespace

BlobStream::BlobStream(ImageSources& images, const image::Descriptor& descriptor, std::stop_token stop)
    : images_(images), pipe_(make_pipe()), on_stop_(std::move(stop), [this] { stop_.request_stop(); }) {
  ::fcntl(pipe_.write.get(), F_SETPIPE_SZ, k_pipe_size);  // a smaller one is only slower
  thread_ = std::jthread([this, descriptor] { download(descriptor); });
}

BlobStream::~BlobStream() {
  stop_.request_stop();
  pipe_.read.reset();
}

void BlobStream::download(const image::Descriptor& descriptor) {
  remote::BlobSink sink;
  sink.data = [this](std::string_view bytes) { pass_on(bytes); };
  sink.restart = [this] {
    restarted_ = true;
    reader_gone_ = true;  // what it has is void: it is not told more
    pipe_.write.reset();
  };
  try {
    images_.pull(descriptor, sink, stop_.get_token());
  } catch (...) {
    failure_ = std::current_exception();
  }
  pipe_.write.reset();
}

void BlobStream::pass_on(std::string_view bytes) {
  while (!bytes.empty() && !reader_gone_) {
    const ssize_t n = ::write(pipe_.write.get(), bytes.data(), bytes.size());
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) reader_gone_ = true;  // EPIPE
  }
}

void BlobStream::finish() {
  pipe_.read.reset();
  if (thread_.joinable()) thread_.join();
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace mbuild::executor
