#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"

// Plain structs to bytes and back, between the outer and the inner process of one program. A type takes part by a
// function `template <class Codec> void fields(Codec& codec, T& value)` that names its members: codec(value.a,
// value.b). Both ends are the same program, so there are no versions; bytes that do not fit are an internal Error.
//
// Most numbers are small, and a list of ten thousand files has many: they take seven bits a byte, the low ones first,
// negative ones turned inside out (as in LEB128 and protobuf's zigzag).
namespace mbuild::executor {

class Encoder {
 public:
  template <class... T>
  void operator()(const T&... values) {
    (put(values), ...);
  }
  std::string take() { return std::move(out_); }

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
    } else {
      fields(*this, const_cast<T&>(value));
    }
  }
  void put(const std::string& text) {
    put(text.size());
    out_ += text;
  }
  template <class T>
  void put(const std::vector<T>& list) {
    put(list.size());
    for (const auto& item : list) put(item);
  }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class T>
  void put(const std::shared_ptr<const T>& value) {
    put(value != nullptr);
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
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

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
  static Error no_number() {
    return {ExitClass::internal, "a message between the processes has a number out of range"};
  }
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) throw Error(ExitClass::internal, "a message between the processes is too short");
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
    } else {
      fields(*this, value);
    }
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
  template <class T>
  void get(std::optional<T>& value) {
    bool there = false;
    get(there);
    if (there) get(value.emplace());
  }
  template <class T>
  void get(std::shared_ptr<const T>& value) {
    bool there = false;
    get(there);
    if (!there) return;
    auto made = std::make_shared<T>();
    get(*made);
    value = std::move(made);
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
};

template <class T>
std::string encode(const T& value) {
  Encoder encoder;
  encoder(value);
  return encoder.take();
}

template <class T>
T decode(std::string_view bytes) {
  Decoder decoder(bytes);
  T value{};
  decoder(value);
  if (!decoder.at_end()) throw Error(ExitClass::internal, "a message between the processes is too long");
  return value;
}

}  // namespace mbuild::executor
