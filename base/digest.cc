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

// By the functions of one algorithm.
template <std::size_t size, typename Context>
std::string digest_bytes(std::string_view data, int (*init)(Context*),
                         int (*update)(Context*, const void*, std::size_t), int (*finish)(unsigned char*, Context*)) {
  Context context;
  init(&context);
  update(&context, data.data(), data.size());
  std::string out(size, '\0');
  finish(reinterpret_cast<unsigned char*>(out.data()), &context);
  return out;
}

}  // namespace

std::string md5_bytes(std::string_view data) {
  return digest_bytes<MD5_DIGEST_LENGTH>(data, MD5_Init, MD5_Update, MD5_Final);
}

std::string sha1_bytes(std::string_view data) {
  return digest_bytes<SHA_DIGEST_LENGTH>(data, SHA1_Init, SHA1_Update, SHA1_Final);
}

std::string sha256_bytes(std::string_view data) {
  return digest_bytes<SHA256_DIGEST_LENGTH>(data, SHA256_Init, SHA256_Update, SHA256_Final);
}

std::string sha512_bytes(std::string_view data) {
  return digest_bytes<SHA512_DIGEST_LENGTH>(data, SHA512_Init, SHA512_Update, SHA512_Final);
}

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
  return "sha256:" + hex({reinterpret_cast<const char*>(out.data()), out.size()});
}

std::string hex(std::string_view bytes) {
  static constexpr char k_digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    out += k_digits[value >> 4];
    out += k_digits[value & 15];
  }
  return out;
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
  return hex({reinterpret_cast<const char*>(out.data()), out.size()});
}

bool is_sha256_digest(std::string_view text) {
  return text.size() == 71 && text.starts_with("sha256:") && std::all_of(text.begin() + 7, text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string_view digest_hex(std::string_view digest) { return digest.substr(digest.find(':') + 1); }

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  if (::getrandom(out.data(), out.size(), 0) != static_cast<ssize_t>(out.size())) {
    throw Error(ExitClass::host, "the kernel gave no random bytes");
  }
  return out;
}

std::string random_hex(std::size_t bytes) {
  const std::string raw = random_bytes(bytes);
  return hex(raw);
}

}  // namespace mbuild
