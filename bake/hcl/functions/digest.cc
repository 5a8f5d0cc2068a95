#include "bake/hcl/functions/digest.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "bake/hcl/functions.h"

namespace mbuild::bake::hcl {

std::string digest_of(const char* algorithm, std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_get_digestbyname(algorithm), nullptr) != 1) {
    throw CallError(std::string("the cryptographic library has no ") + algorithm);
  }
  return {reinterpret_cast<const char*>(digest), size};
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1) {
    throw CallError("there are no random numbers");
  }
  return bytes;
}

}  // namespace mbuild::bake::hcl
