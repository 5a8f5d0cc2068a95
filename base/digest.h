#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace mbuild {

// "sha256:<64 hex digits>" (OCI image specification, descriptor.md, Digests).
using Digest = std::string;

// A running SHA-256.
class Sha256 {
 public:
  Sha256();

  void update(std::string_view data);
  // Length-prefixed, so that a sequence of fields has one encoding only.
  void field(std::string_view data);
  void number(std::uint64_t value);
  // Ends the computation; the object must not be used again.
  Digest digest();

 private:
  // Room for OpenSSL's SHA256_CTX, whose header stays out of this one.
  alignas(std::uint64_t) std::array<unsigned char, 112> context_;
};

Digest sha256(std::string_view data);
// Of what a descriptor gives from its position to the end. Throws Error.
Digest sha256_of_rest(int fd);
// The MD5 of what a descriptor gives from its position to the end, in hex, as package databases have it. Throws Error.
std::string md5_of_rest(int fd);
// Digests of all the functions there are, as their bytes.
std::string md5_bytes(std::string_view data);
std::string sha1_bytes(std::string_view data);
std::string sha256_bytes(std::string_view data);
std::string sha512_bytes(std::string_view data);
// Bytes in lower-case hex.
std::string hex(std::string_view bytes);
// True for "sha256:" and 64 lower-case hex digits.
bool is_sha256_digest(std::string_view text);
// The hex part of a digest.
std::string_view digest_hex(std::string_view digest);
// Throws Error (host) when the kernel gives none.
std::string random_bytes(std::size_t count);
// `bytes` random bytes as hex.
std::string random_hex(std::size_t bytes);

}  // namespace mbuild
