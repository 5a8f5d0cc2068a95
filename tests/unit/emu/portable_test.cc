#include "emu/portable.h"

#include <string>

#include "tests/catch.h"
#include "tests/unit/platforms/samples.h"

using namespace mbuild;
using namespace std::string_literals;

namespace {

bool portable(std::string_view path, std::string_view content) {
  return emu::is_portable(path, content, *platforms::find_descriptor(testing::k_arm64));
}

// One entry of a zip archive's directory.
std::string zip_with(const std::string& name) {
  std::string entry = "PK\x01\x02"s + std::string(42, '\0') + name;
  entry[28] = static_cast<char>(name.size());
  return "PK\x03\x04 packed "s + entry;
}

}  // namespace

TEST_CASE("texts, pictures, classes and archives of classes are the same everywhere", "[portable]") {
  CHECK(portable("usr/share/doc/index.html", "<html>"));
  CHECK(portable("app/logo.png", "\x89PNG\r\n"));
  CHECK(portable("app/Main.class", "\xca\xfe\xba\xbe\0\0\0\x34"s));
  CHECK(portable("app.jar", zip_with("a/Main.class")));
  CHECK(portable("empty", ""));
}

TEST_CASE("what may be of an architecture is not called portable", "[portable]") {
  CHECK_FALSE(portable("bin/tool",
                       "\x7f"
                       "ELF..."));
  CHECK_FALSE(portable("lib/libx.a", "!<arch>\n"));
  CHECK_FALSE(portable("lib/libx.so", "INPUT(libx.so.1)"));
  CHECK_FALSE(portable("lib/libx.so.1", ""));
  CHECK_FALSE(portable("a.tar.gz", "\x1f\x8b\x08"));
  CHECK_FALSE(portable("both", "\xca\xfe\xba\xbe\0\0\0\x02"s));
  CHECK_FALSE(portable("app.jar", zip_with("natives/libx.so")));
  CHECK_FALSE(portable("tool.exe", "MZ"));
}

TEST_CASE("a word of the architecture is enough", "[portable]") {
  CHECK_FALSE(portable("config", "machine: aarch64\n"));
  CHECK_FALSE(portable("config", "goarch=arm64\n"));
  CHECK_FALSE(portable("lib/aarch64-linux-gnu/x.pc", "x"));
  CHECK(portable("config", "machine: x86_64\n"));
}
