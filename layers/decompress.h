#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace mbuild::image {

// A decompressor that is fed: each call gives input and gets output through `emit`, in pieces of any size.
class Decompressor {
 public:
  using Emit = std::function<void(std::string_view)>;
  Decompressor();
  ~Decompressor();

  // Throws Error (network) for broken data.
  void feed(std::string_view input, const Emit& emit);
  // Says that there is no more input. Throws Error (network) when the data ends too early.
  void finish(const Emit& emit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mbuild::image
