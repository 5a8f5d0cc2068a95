#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mbuild::bake::hcl {

// The bytes of the digest by an algorithm that OpenSSL names so: "MD5".
std::string digest_of(const char* algorithm, std::string_view bytes);
std::string random_bytes(std::size_t count);

}  // namespace mbuild::bake::hcl
