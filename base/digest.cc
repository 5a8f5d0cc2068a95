#include "base/digest.h"

#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <array>

#include "base/error.h"

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

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  if (EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) != 1) {
    throw Error(ExitClass::internal, "OpenSSL offers no SHA-256");
  }
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view data) { EVP_DigestUpdate(context_->evp, data.data(), data.size()); }

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
  std::array<unsigned char, 32> out;
  EVP_DigestFinal_ex(context_->evp, out.data(), nullptr);
  return "sha256:" + hex(out.data(), out.size());
}

Digest sha256(std::string_view data) {
  Sha256 hash;
  hash.update(data);
  return hash.digest();
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
