#include <crypt.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "bake/hcl/functions/table.h"
#include "base/base64.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/shared_library.h"

namespace mbuild::bake::hcl {

namespace {

constexpr std::int64_t k_default_cost = 10;

void define_hash(Table& table, std::string_view name, std::string (*digest)(std::string_view)) {
  define(table, name, {text("str")},
         [digest](Arguments arguments) { return string_value(hex(digest(as_string(arguments[0])))); });
}

Value bcrypt(Arguments arguments) {
  if (arguments.size() > 2) {
    throw CallError("there is but one cost");
  }
  const std::int64_t cost = arguments.size() == 2 ? whole_argument(arguments, 1) : k_default_cost;
  if (cost > 31) {
    throw CallError("a cost is from 4 to 31", 1);
  }
  if (as_string(arguments[0]).size() > 72) {
    throw CallError("at most 72 bytes can be hashed", 0);
  }
  const std::string salt = random_bytes(16);
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  // What is below the lowest cost is taken for the default.
  const auto rounds = static_cast<unsigned long>(cost < 4 ? k_default_cost : cost);
  auto data = std::make_unique<crypt_data>();
  if (!crypt_gensalt_rn("$2a$", rounds, salt.data(), static_cast<int>(salt.size()), setting, sizeof setting) ||
      !crypt_r(as_string(arguments[0]).c_str(), setting, data.get()) || data->output[0] == '*') {
    throw CallError("the system's crypt library has no bcrypt");
  }
  return string_value(data->output);
}

// The functions that read and use a key. They bring along all of the library, and one definition in thousands has a
// key.
struct Crypto {
  decltype(&BIO_new_mem_buf) new_memory;
  decltype(&BIO_free) free_memory;
  decltype(&PEM_read_bio_PrivateKey) read_key;
  decltype(&EVP_PKEY_free) free_key;
  decltype(&EVP_PKEY_get_base_id) kind_of_key;
  decltype(&EVP_PKEY_get_size) size_of_key;
  decltype(&EVP_PKEY_CTX_new) new_context;
  decltype(&EVP_PKEY_CTX_free) free_context;
  decltype(&EVP_PKEY_CTX_ctrl_str) set;
  decltype(&EVP_PKEY_decrypt_init) begin;
  decltype(&EVP_PKEY_decrypt) decrypt;

  Crypto() {
    const SharedLibrary library("libcrypto.so.3", "rsadecrypt needs",
                                "Install OpenSSL's library (on Debian and Ubuntu the package libssl3).");
    library.load(new_memory, "BIO_new_mem_buf");
    library.load(free_memory, "BIO_free");
    library.load(read_key, "PEM_read_bio_PrivateKey");
    library.load(free_key, "EVP_PKEY_free");
    library.load(kind_of_key, "EVP_PKEY_get_base_id");
    library.load(size_of_key, "EVP_PKEY_get_size");
    library.load(new_context, "EVP_PKEY_CTX_new");
    library.load(free_context, "EVP_PKEY_CTX_free");
    library.load(set, "EVP_PKEY_CTX_ctrl_str");
    library.load(begin, "EVP_PKEY_decrypt_init");
    library.load(decrypt, "EVP_PKEY_decrypt");
  }
};

const Crypto& crypto() {
  try {
    static const Crypto k_functions;
    return k_functions;
  } catch (const Error& error) {
    throw CallError(error.message);
  }
}

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;

Key read_key(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(crypto().new_memory(pem.data(), static_cast<int>(pem.size())),
                                                      crypto().free_memory);
  // Without a callback that has no passphrase, the library would ask for one on the terminal.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  Key key(crypto().read_key(bio.get(), nullptr, no_passphrase, nullptr), crypto().free_key);
  if (!key || crypto().kind_of_key(key.get()) != EVP_PKEY_RSA) {
    throw CallError("this is no RSA private key in PEM form without a passphrase", 1);
  }
  return key;
}

Value rsadecrypt(Arguments arguments) {
  const auto cipher = decode_base64(as_string(arguments[0]));
  if (!cipher) {
    throw CallError("this is no base64", 0);
  }
  const Key key = read_key(as_string(arguments[1]));
  const Context context(crypto().new_context(key.get(), nullptr), crypto().free_context);
  std::string plain(static_cast<std::size_t>(crypto().size_of_key(key.get())), '\0');
  std::size_t size = plain.size();
  const auto* in = reinterpret_cast<const unsigned char*>(cipher->data());
  if (!context || crypto().begin(context.get()) <= 0 || crypto().set(context.get(), "rsa_padding_mode", "pkcs1") <= 0 ||
      crypto().decrypt(context.get(), reinterpret_cast<unsigned char*>(plain.data()), &size, in, cipher->size()) <= 0) {
    throw CallError("the text cannot be decrypted with this key", 0);
  }
  plain.resize(size);
  return text_value(plain);
}

}  // namespace

void add_hashes(Table& table) {
  define_hash(table, "md5", md5_bytes);
  define_hash(table, "sha1", sha1_bytes);
  define_hash(table, "sha256", sha256_bytes);
  define_hash(table, "sha512", sha512_bytes);
  define_variadic(table, "bcrypt", {text("str")}, number("cost"), bcrypt);
  define(table, "rsadecrypt", {text("ciphertext"), text("privatekey")}, rsadecrypt);
}

}  // namespace mbuild::bake::hcl
