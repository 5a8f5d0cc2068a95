#include "layers/decompress.h"

#include <isa-l.h>
#include <zstd.h>

#include <algorithm>
#include <variant>

#include "base/error.h"

namespace mbuild::image {
namespace {

constexpr std::size_t k_output_size = 512 * 1024;
constexpr std::size_t k_magic_size = 4;
constexpr std::string_view k_gzip_magic("\x1f\x8b", 2);
constexpr std::string_view k_zstd_magic("\x28\xb5\x2f\xfd", 4);

[[noreturn]] void broken_data(const std::string& what) { throw Error(ExitClass::network, what); }

// gzip, any number of members; zero bytes after a member are padding, as gzip(1) takes them.
class Gunzip {
 public:
  Gunzip() { begin_member(); }

  void feed(std::string_view input, std::string& output, const Decompressor::Emit& emit) {
    state_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(input.data()));
    state_.avail_in = static_cast<std::uint32_t>(input.size());
    while (state_.avail_in > 0) {
      if (between_members_ && !enter_member()) continue;
      inflate(output, emit);
    }
  }

  void finish() const {
    if (!between_members_) broken_data("the gzip data ends too early");
  }

 private:
  void begin_member() {
    isal_inflate_init(&state_);
    state_.crc_flag = ISAL_GZIP;
  }

  // Skips padding; false when that was all.
  bool enter_member() {
    if (*state_.next_in == 0) {
      ++state_.next_in;
      --state_.avail_in;
      return false;
    }
    if (*state_.next_in != static_cast<std::uint8_t>(k_gzip_magic[0]))
      broken_data("there is something else after the gzip data");
    std::uint8_t* const next = state_.next_in;
    const std::uint32_t available = state_.avail_in;
    begin_member();
    state_.next_in = next;
    state_.avail_in = available;
    between_members_ = false;
    return true;
  }

  void inflate(std::string& output, const Decompressor::Emit& emit) {
    const std::uint32_t before = state_.avail_in;
    std::size_t produced = 0;
    do {
      state_.next_out = reinterpret_cast<std::uint8_t*>(output.data());
      state_.avail_out = static_cast<std::uint32_t>(output.size());
      if (const int result = isal_inflate(&state_); result < 0) {
        broken_data(result == ISAL_INCORRECT_CHECKSUM ? "the checksum of the gzip data is wrong"
                                                      : "the gzip data is broken");
      }
      if (const std::size_t got = output.size() - state_.avail_out; got > 0) {
        emit(std::string_view(output.data(), got));
        produced += got;
      }
      between_members_ = state_.block_state == ISAL_BLOCK_FINISH;
    } while (!between_members_ && state_.avail_out == 0);
    if (!between_members_ && produced == 0 && state_.avail_in == before) broken_data("the gzip data is broken");
  }

  inflate_state state_;
  bool between_members_ = false;
};

class Unzstd {
 public:
  Unzstd() : context_(ZSTD_createDCtx()) {
    if (!context_) throw std::bad_alloc();
  }

  void feed(std::string_view input, std::string& output, const Decompressor::Emit& emit) {
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    ZSTD_outBuffer out{};
    do {
      out = {output.data(), output.size(), 0};
      wanted_ = ZSTD_decompressStream(context_.get(), &out, &in);
      if (ZSTD_isError(wanted_)) broken_data(std::string("the zstd data is broken: ") + ZSTD_getErrorName(wanted_));
      if (out.pos > 0) emit(std::string_view(output.data(), out.pos));
    } while (in.pos < in.size || out.pos == out.size);
  }

  void finish() const {
    if (wanted_ != 0) broken_data("the zstd data ends too early");
  }

 private:
  std::unique_ptr<ZSTD_DCtx, decltype([](ZSTD_DCtx* c) { ZSTD_freeDCtx(c); })> context_;
  std::size_t wanted_ = 1;
};

struct AsItIs {};

bool is_skippable_zstd_frame(std::string_view magic) {
  return magic.substr(1) == std::string_view("\x2a\x4d\x18", 3) &&
         (static_cast<unsigned char>(magic[0]) & 0xf0) == 0x50;
}

}  // namespace

struct Decompressor::Impl {
  std::string first;  // until there is enough to tell the format
  std::string output;
  std::variant<std::monostate, AsItIs, Gunzip, Unzstd> state;

  void choose() {
    if (first.starts_with(k_gzip_magic)) {
      state.emplace<Gunzip>();
    } else if (first.starts_with(k_zstd_magic) || (first.size() == k_magic_size && is_skippable_zstd_frame(first))) {
      state.emplace<Unzstd>();
    } else {
      state.emplace<AsItIs>();
      return;
    }
    output.resize(k_output_size);
  }

  void feed(std::string_view input, const Emit& emit) {
    if (input.empty()) return;
    if (auto* gunzip = std::get_if<Gunzip>(&state)) {
      gunzip->feed(input, output, emit);
    } else if (auto* unzstd = std::get_if<Unzstd>(&state)) {
      unzstd->feed(input, output, emit);
    } else {
      emit(input);
    }
  }
};

Decompressor::Decompressor() : impl_(std::make_unique<Impl>()) {}
Decompressor::~Decompressor() = default;

void Decompressor::feed(std::string_view input, const Emit& emit) {
  if (std::holds_alternative<std::monostate>(impl_->state)) {
    const std::size_t missing = std::min(k_magic_size - impl_->first.size(), input.size());
    impl_->first += input.substr(0, missing);
    input.remove_prefix(missing);
    if (impl_->first.size() < k_magic_size) return;
    impl_->choose();
    impl_->feed(impl_->first, emit);
  }
  impl_->feed(input, emit);
}

void Decompressor::finish(const Emit& emit) {
  if (std::holds_alternative<std::monostate>(impl_->state)) {
    impl_->choose();
    impl_->feed(impl_->first, emit);
  }
  if (const auto* gunzip = std::get_if<Gunzip>(&impl_->state)) gunzip->finish();
  if (const auto* unzstd = std::get_if<Unzstd>(&impl_->state)) unzstd->finish();
}

}  // namespace mbuild::image
