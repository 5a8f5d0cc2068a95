#include "base/digest.h"

#include <utility>

#include "tests/catch.h"

using namespace mbuild;

TEST_CASE("SHA-256 gives the digests that FIPS 180 names") {
  CHECK(sha256("") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("A running digest does not depend on how its input is cut") {
  Sha256 hash;
  for (const char* part : {"a", "", "bc"}) hash.update(part);
  CHECK(hash.digest() == sha256("abc"));
}

TEST_CASE("A moved digest goes on where it was") {
  Sha256 hash;
  hash.update("a");
  Sha256 other = std::move(hash);
  other.update("bc");
  CHECK(other.digest() == sha256("abc"));
}

TEST_CASE("Fields that are cut elsewhere have another digest") {
  const auto of = [](std::initializer_list<std::string_view> fields) {
    Sha256 hash;
    for (const auto field : fields) hash.field(field);
    return hash.digest();
  };
  CHECK(of({"ab", "c"}) != of({"a", "bc"}));
  CHECK(of({"abc"}) != of({"abc", ""}));
  CHECK(of({"ab", "c"}) == of({"ab", "c"}));
}

TEST_CASE("A number is hashed as eight bytes, lowest first") {
  Sha256 hash;
  hash.number(0x0102030405060708);
  CHECK(hash.digest() == sha256("\x08\x07\x06\x05\x04\x03\x02\x01"));
}

TEST_CASE("Only the exact form is a SHA-256 digest") {
  const std::string good = sha256("x");
  CHECK(is_sha256_digest(good));
  CHECK_FALSE(is_sha256_digest(""));
  CHECK_FALSE(is_sha256_digest(good.substr(0, 70)));
  CHECK_FALSE(is_sha256_digest(good + "0"));
  CHECK_FALSE(is_sha256_digest("sha512:" + good.substr(7)));
  CHECK_FALSE(is_sha256_digest(good.substr(0, 70) + "A"));
  CHECK_FALSE(is_sha256_digest(good.substr(0, 70) + "/"));
}

TEST_CASE("The hex part of a digest is what follows the algorithm") { CHECK(digest_hex("sha256:0123") == "0123"); }

TEST_CASE("Random names have the length asked for and differ") {
  const auto name = random_hex(8);
  CHECK(name.size() == 16);
  CHECK(name.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(name != random_hex(8));
}
