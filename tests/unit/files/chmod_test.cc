#include "files/chmod.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

std::uint32_t changed(const char* text, std::uint32_t mode, bool is_directory = false) {
  return changed_mode(parse_mode(text), mode, is_directory);
}

}  // namespace

TEST_CASE("Octal modes replace all bits") {
  CHECK(changed("0644", 0777) == 0644);
  CHECK(changed("7", 0777) == 07);
  CHECK(changed("4755", 0600) == 04755);
  CHECK(changed("0", 0600) == 0);
}

TEST_CASE("Symbolic modes change what they name") {
  CHECK(changed("go-w", 0666) == 0644);
  CHECK(changed("u=rw,g=r,o=r", 0755) == 0644);
  CHECK(changed("a+X", 0124) == 0135);
  CHECK(changed("a+X", 0600) == 0600);
  CHECK(changed("a+X", 0600, true) == 0711);
  CHECK(changed("u=rwX,go=rX", 0124) == 0755);
  CHECK(changed("u=rwX,go=rX", 0600) == 0644);
  CHECK(changed("a-x", 0124) == 0024);
  CHECK(changed("ug+rw,o-rwx", 0755) == 0770);
  CHECK(changed("=r", 0755) == 0444);
  CHECK(changed("u+r-w", 0200) == 0400);
}

TEST_CASE("Special bits follow the classes") {
  CHECK(changed("u+s,g+s", 0755) == 06755);
  CHECK(changed("o+s", 0755) == 0755);
  CHECK(changed("+t", 0755) == 01755);
  CHECK(changed("u=rwx", 04644) == 0744);
  CHECK(changed("u+x", 01644) == 01744);
}

TEST_CASE("A class is copied") {
  CHECK(changed("o=u", 0124) == 0121);
  CHECK(changed("go=u", 0750) == 0777);
  CHECK(changed("g-u", 0470) == 0430);
  CHECK(changed("o+g", 0641) == 0645);
}

TEST_CASE("Malformed modes are refused in the words of the language") {
  const auto message = [](const char* text) {
    try {
      parse_mode(text);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(message("64a") == "invalid chmod parameter: '64a'. it should be octal string and between 0 and 07777");
  CHECK(message("10000") == "invalid chmod parameter: '10000'. it should be octal string and between 0 and 07777");
  for (const char* text : {"u+y", "u", "x+r", "u+r,", "ug"}) {
    CHECK(message(text).find(text) != std::string::npos);
  }
}
