#include "base/clean_text.h"

#include "tests/catch.h"

using namespace mbuild;

TEST_CASE("Text in UTF-8 with its lines and tabs is left as it is") {
  CHECK(clean_text("a\tb\n\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80") == "a\tb\n\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80");
  CHECK(clean_line("a\tb\nc") == "a b c");
}

TEST_CASE("Control characters and escape sequences are dropped, colours too") {
  CHECK(clean_text("a\a\b\x7f z\r") == "a z");
  CHECK(clean_text(std::string_view("a\0b", 3)) == "ab");
  CHECK(clean_text("\x1b[1;31mred\x1b[0m\x1b[m") == "red");
  CHECK(clean_text("a\x1b[2Jb\x1b[10;5Hc\x1b[?25ld") == "abcd");
  CHECK(clean_text("a\x1b]0;title\ab") == "ab");
  CHECK(clean_text("a\x1b]8;;http://x\x1b\\link") == "alink");
  CHECK(clean_text("a\x1b"
                   "cb\x1b(Bc") == "abc");
  CHECK(clean_text("cut\x1b[31") == "cut");
  CHECK(clean_text("cut\x1b") == "cut");
  CHECK(clean_text("\x1b\xC3\xA4\x1b[3\xC3\xA4") == "\xC3\xA4\xC3\xA4");
}

TEST_CASE("A sequence that is not ended hides nothing of what follows") {
  CHECK(clean_text("a\x1b]0;never ended\nb") == "a]0;never ended\nb");
  CHECK(clean_text("a\x1bP" + std::string(10'000, 'x')) == "aP" + std::string(10'000, 'x'));
}

TEST_CASE("C1 controls, bidirectional controls and separators are replaced, in whatever form") {
  const std::string replaced = "\xEF\xBF\xBD";
  for (const char* text : {"\xC2\x9B", "\xC2\x80", "\xE2\x80\xAE", "\xE2\x81\xA6", "\xE2\x80\x8F", "\xD8\x9C",
                           "\xE2\x80\xA8", "\xE2\x80\xA9", "\xF3\xA0\x81\x81"}) {
    CHECK(clean_text(text) == replaced);
  }
  CHECK(clean_text("\xC2\xA0\xE2\x80\x90") == "\xC2\xA0\xE2\x80\x90");  // their neighbours are not
}

TEST_CASE("Bytes that are no UTF-8 are replaced, each of them") {
  const std::string replaced = "\xEF\xBF\xBD";
  CHECK(clean_text("a\x9b"
                   "31mb") == "a" + replaced + "31mb");
  CHECK(clean_text("\xC0\x80") == replaced + replaced);                 // too long a form
  CHECK(clean_text("\xED\xA0\x80") == replaced + replaced + replaced);  // half of a surrogate pair
  CHECK(clean_text("\xF4\x90\x80\x80") == replaced + replaced + replaced + replaced);
  CHECK(clean_text("cut\xE2\x82") == "cut" + replaced + replaced);
}

TEST_CASE("Cleaning twice is cleaning once") {
  std::string all;
  for (int i = 0; i < 256; ++i) {
    for (const char* next : {"", "[31m", "\x9b", "\x1b]x\a"}) all += std::string(1, static_cast<char>(i)) + next;
  }
  const std::string once = clean_text(all);
  CHECK(clean_text(once) == once);
  CHECK(once.find('\x1b') == std::string::npos);
}
