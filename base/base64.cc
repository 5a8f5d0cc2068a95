#include "base/base64.h"

#define OPENSSL_API_COMPAT 0x10101000L  // as digest.cc has it, which may be compiled together with this file
#include <openssl/evp.h>

#include <algorithm>

namespace mbuild {
namespace {

const unsigned char* data_of(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* data_of(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

bool in_alphabet(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(data_of(text), data_of(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string joined(text);
  std::erase_if(joined, [](char c) { return c == '\n' || c == '\r'; });
  const std::size_t padding = joined.ends_with("==") ? 2 : joined.ends_with('=') ? 1 : 0;
  if (joined.size() % 4 != 0 || !std::all_of(joined.begin(), joined.end() - static_cast<long>(padding), in_alphabet)) {
    return std::nullopt;
  }
  std::string bytes(joined.size() / 4 * 3 + 1, '\0');
  const int size = EVP_DecodeBlock(data_of(bytes), data_of(std::string_view(joined)), static_cast<int>(joined.size()));
  if (size < 0) {
    return std::nullopt;
  }
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

}  // namespace mbuild
