#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/members.h"

// Plain structs to bytes and back: between the processes of one program, and in records of the store that no query
// looks into (which have a version before them where they may change). All members of an aggregate are encoded in the
// order of their declaration, so that none can be forgotten. Bytes that do not fit are an internal Error.
//
// A descriptor travels beside the bytes, which hold its place among those of the message; who decodes owns what came.
// A type of which only a part means something to others says so by `fields(codec, value)`, as in codec(value.part).
//
// Most numbers are small, and a list of ten thousand files has many: they take seven bits a byte, the low ones first,
// negative ones turned inside out (as in LEB128 and protobuf's zigzag).
namespace mbuild::executor {

// A member that means something to one side only: it is not sent.
template <class T>
struct Unsent {
  T value = {};
};

// A value that the sender only lends, and the receiver owns.
template <class T>
struct Lent {
  std::shared_ptr<const T> shared = {};  // the sender's; null: there is none
  std::optional<T> own = {};             // the receiver's
};

class Encoder {
 public:
  template <class... T>
  void operator()(const T&... values) {
    (put(values), ...);
  }
  std::string take() { return std::move(out_); }
  // Those of the values, in the order in which they belong beside the bytes.
  const std::vector<int>& descriptors() const { return descriptors_; }

 private:
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  template <class T>
  void put(const T& value) {
    if constexpr (std::is_enum_v<T>) {
      number(static_cast<std::uint64_t>(value));
    } else if constexpr (std::is_unsigned_v<T>) {
      number(value);
    } else if constexpr (std::is_integral_v<T>) {
      const auto bits = static_cast<std::uint64_t>(value) << 1;
      number(value < 0 ? ~bits : bits);
    } else if constexpr (requires { fields(*this, value); }) {
      fields(*this, value);
    } else {
      with_members(value, *this);
    }
  }
  void put(const Fd& descriptor) {
    if (descriptor) descriptors_.push_back(descriptor.get());
    number(descriptor ? descriptors_.size() : 0);
  }
  template <class T>
  void put(const Unsent<T>&) {}
  template <class T>
  void put(const Lent<T>& value) {
    put(value.shared != nullptr);
    if (value.shared) put(*value.shared);
  }
  void put(const std::string& text) {
    put(text.size());
    out_ += text;
  }
  template <class T>
  void put(const std::vector<T>& list) {
    put(list.size());
    for (const T& item : list) put(item);
  }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class A, class B>
  void put(const std::pair<A, B>& value) {
    put(value.first);
    put(value.second);
  }
  template <class K, class V>
  void put(const std::map<K, V>& map) {
    put(map.size());
    for (const auto& item : map) {
      put(item.first);
      put(item.second);
    }
  }

  std::string out_;
  std::vector<int> descriptors_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes, std::span<Fd> descriptors = {}) : rest_(bytes), descriptors_(descriptors) {}

  template <class... T>
  void operator()(T&... values) {
    (get(values), ...);
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      if (shift == 63 && byte > 1) throw no_number();
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) break;
    }
    return value;
  }
  static Error no_number() { return {ExitClass::internal, "encoded bytes have a number out of range"}; }
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) throw Error(ExitClass::internal, "encoded bytes are too short");
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  template <class T>
  void get(T& value) {
    if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(number());
    } else if constexpr (std::is_unsigned_v<T>) {
      const std::uint64_t bits = number();
      value = static_cast<T>(bits);
      if (value != bits) throw no_number();
    } else if constexpr (std::is_integral_v<T>) {
      const std::uint64_t bits = number();
      const auto wide = static_cast<std::int64_t>((bits & 1) != 0 ? ~(bits >> 1) : bits >> 1);
      value = static_cast<T>(wide);
      if (value != wide) throw no_number();
    } else if constexpr (requires { fields(*this, value); }) {
      fields(*this, value);
    } else {
      with_members(value, *this);
    }
  }
  void get(Fd& descriptor) {
    const std::uint64_t place = number();
    if (place > descriptors_.size()) throw no_number();
    if (place > 0) descriptor = std::move(descriptors_[place - 1]);
  }
  template <class T>
  void get(Unsent<T>&) {}
  template <class T>
  void get(Lent<T>& value) {
    bool there = false;
    get(there);
    if (there) get(value.own.emplace());
  }
  void get(std::string& text) {
    std::size_t size = 0;
    get(size);
    text = take(size);
  }
  template <class T>
  void get(std::vector<T>& list) {
    std::size_t size = 0;
    get(size);
    list.clear();
    list.reserve(std::min(size, rest_.size()));  // of bytes that do not fit no more than there are
    for (std::size_t i = 0; i < size; ++i) get(list.emplace_back());
  }
  void get(std::vector<bool>& list) {
    std::vector<std::uint8_t> bits;
    get(bits);
    list.assign(bits.begin(), bits.end());
  }
  template <class T>
  void get(std::optional<T>& value) {
    bool there = false;
    get(there);
    if (there) get(value.emplace());
  }
  template <class A, class B>
  void get(std::pair<A, B>& value) {
    get(value.first);
    get(value.second);
  }
  template <class K, class V>
  void get(std::map<K, V>& map) {
    std::size_t size = 0;
    get(size);
    for (std::size_t i = 0; i < size; ++i) {
      K key{};
      get(key);
      get(map[std::move(key)]);
    }
  }

  std::string_view rest_;
  std::span<Fd> descriptors_;
};

// Of a value without descriptors.
template <class T>
std::string encode(const T& value) {
  Encoder encoder;
  encoder(value);
  if (!encoder.descriptors().empty()) throw Error(ExitClass::internal, "a descriptor is no part of bytes");
  return encoder.take();
}

template <class T>
T decode(std::string_view bytes, std::span<Fd> descriptors = {}) {
  Decoder decoder(bytes, descriptors);
  T value{};
  decoder(value);
  if (!decoder.at_end()) throw Error(ExitClass::internal, "encoded bytes are too long");
  return value;
}

}  // namespace mbuild::executor
