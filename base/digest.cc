#include "base/digest.h"

// The low-level functions, old in OpenSSL 3 but there: the newer ones read the configuration of the library and build
// its tables first, which is 5.4 million instructions in a program that has to be done after 30 ms.
#define OPENSSL_API_COMPAT 0x10101000L
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild {
namespace {

std::string hex(const unsigned char* data, std::size_t size) {
  static constexpr char k_digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(size * 2);
  for (std::size_t i = 0; i < size; ++i) {
    out += k_digits[data[i] >> 4];
    out += k_digits[data[i] & 15];
  }
  return out;
}

}  // namespace

Sha256::Sha256() {
  static_assert(sizeof(SHA256_CTX) == sizeof(context_) && alignof(SHA256_CTX) <= alignof(std::uint64_t));
  SHA256_Init(reinterpret_cast<SHA256_CTX*>(context_.data()));
}

void Sha256::update(std::string_view data) {
  SHA256_Update(reinterpret_cast<SHA256_CTX*>(context_.data()), data.data(), data.size());
}

void Sha256::field(std::string_view data) {
  number(data.size());
  update(data);
}

void Sha256::number(std::uint64_t value) {
  std::array<char, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  update({bytes.data(), bytes.size()});
}

Digest Sha256::digest() {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> out;
  SHA256_Final(out.data(), reinterpret_cast<SHA256_CTX*>(context_.data()));
  return "sha256:" + hex(out.data(), out.size());
}

Digest sha256(std::string_view data) {
  Sha256 hash;
  hash.update(data);
  return hash.digest();
}

Digest sha256_of_rest(int fd) {
  // Not cleared: most files are short, and pages that nothing is read into cost nothing.
  constexpr std::size_t k_room = 256 * 1024;
  thread_local const auto memory = std::make_unique_for_overwrite<std::byte[]>(k_room);
  Sha256 hash;
  for (std::size_t n = k_room; n == k_room;) {
    n = read_full(fd, {memory.get(), k_room});
    hash.update({reinterpret_cast<const char*>(memory.get()), n});
  }
  return hash.digest();
}

std::string md5_of_rest(int fd) {
  MD5_CTX context;
  MD5_Init(&context);
  std::array<std::byte, 16384> buffer;
  for (std::size_t n = buffer.size(); n == buffer.size();) {
    n = read_full(fd, buffer);
    MD5_Update(&context, buffer.data(), n);
  }
  std::array<unsigned char, MD5_DIGEST_LENGTH> out;
  MD5_Final(out.data(), &context);
  return hex(out.data(), out.size());
}

bool is_sha256_digest(std::string_view text) {
  return text.size() == 71 && text.starts_with("sha256:") && std::all_of(text.begin() + 7, text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string_view digest_hex(std::string_view digest) { return digest.substr(digest.find(':') + 1); }

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) {
    throw Error(ExitClass::host, "the kernel gave no random bytes");
  }
  return hex(reinterpret_cast<const unsigned char*>(raw.data()), raw.size());
}

}  // namespace mbuild
