#pragma once

#include <exception>
#include <functional>
#include <stop_token>
#include <string_view>
#include <thread>

#include "base/fd.h"
#include "executor/sources/base_images.h"

namespace mbuild::executor {

// A blob on its way from a registry into the store, which is unpacked meanwhile: the bytes go to a file and to a pipe.
// What comes out of the pipe is not verified; it is the right blob only if `intact` says so after `finish`. The
// download does not depend on whoever reads: when he stops, the file is completed all the same.
class BlobStream {
 public:
  // Starts the download. `images` must outlive this.
  BlobStream(ImageSources& images, const image::Descriptor& descriptor, std::stop_token stop);
  ~BlobStream();  // gives the download up
  BlobStream(const BlobStream&) = delete;
  BlobStream& operator=(const BlobStream&) = delete;

  int fd() const { return pipe_.read.get(); }
  // Closes the pipe and waits until the store has the verified blob. Throws what the download threw.
  void finish();
  // After finish: the pipe had each byte of the blob once.
  bool intact() const { return !restarted_; }

 private:
  void download(const image::Descriptor& descriptor);
  void pass_on(std::string_view bytes);

  ImageSources& images_;
  Pipe pipe_;
  bool reader_gone_ = false, restarted_ = false;  // the thread's, until it has ended
  std::exception_ptr failure_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_stop_;
  std::jthread thread_;
};

}  // namespace mbuild::executor
