#include "layers/tar_reader.h"

#include <fmt/format.h>

#include <cstring>

#include "layers/tar_format.h"
#include "tests/catch.h"
#include "tests/unit/layers/fixture.h"

using namespace mbuild;
using namespace mbuild::image;
using namespace mbuild::image::test;
using Catch::Matchers::Contains;

namespace {

// Feeds a text in pieces of `piece` bytes.
TarReader reader_of(const std::string& text, std::size_t piece = 1000) {
  return TarReader([&text, piece, at = std::size_t{0}]() mutable {
    const std::string_view next = std::string_view(text).substr(at, piece);
    at += next.size();
    return next;
  });
}

TarEntry first_of(const std::string& text) {
  TarReader reader = reader_of(text);
  TarEntry entry;
  REQUIRE(reader.next(entry));
  return entry;
}

// A header with some fields written over and a right checksum.
std::string patched(std::string header, const std::vector<std::pair<std::size_t, std::string>>& patches) {
  std::string& block = header;
  for (const auto& [offset, text] : patches) block.replace(offset, text.size(), text);
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  block.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return header;
}

std::string padded(std::string text) { return text + std::string(tar_padding(text.size())); }

std::string plain_header(std::size_t size) {
  Inode inode;
  inode.mode = 0644;
  inode.size = size;
  return tar_header("name", inode);
}

std::string special(char type, const std::string& content) {
  return patched(plain_header(content.size()), {{156, std::string(1, type)}}) + padded(content);
}

std::string all_content(const std::string& text, std::size_t piece) {
  TarReader reader = reader_of(text, piece);
  TarEntry entry;
  REQUIRE(reader.next(entry));
  std::string content(entry.size, '.');
  for (TarPiece part = reader.content(); !part.bytes.empty(); part = reader.content()) {
    content.replace(part.offset, part.bytes.size(), part.bytes);
  }
  CHECK(reader.next(entry));
  CHECK(entry.path == "after");
  return content;
}

const std::string k_after = Tar().file("after").end();

}  // namespace

TEST_CASE("GNU long names and links") {
  const std::string name(300, 'n'), link(200, 'l');
  const TarEntry entry = first_of(special('L', name + '\0') + special('K', link + '\0') +
                                  patched(plain_header(0), {{156, "2"}}) + k_after);
  CHECK(entry.path == name);
  CHECK(entry.link_target == link);
}

TEST_CASE("pax records override the header and keep bytes") {
  Inode inode;
  inode.uid = 3000000000;
  inode.gid = 4294967294;
  inode.mtime_sec = -5;
  const std::string name = std::string(250, 'd') + "/\xff\xfe" + std::string(200, 'f');
  const TarEntry entry = first_of(tar_header(name, inode) + k_after);
  CHECK(entry.path == name);
  CHECK(entry.uid == 3000000000);
  CHECK(entry.gid == 4294967294);
  CHECK(entry.mtime_sec == -5);
}

TEST_CASE("names keep their bytes, composed or not, UTF-8 or not") {
  for (const std::string name : {"e\xcc\x81", "\xc3\xa9", "\xe9", "tab\tnew\nline", "\xf0\x9f\x98\x80"}) {
    CHECK(first_of(tar_header(name, Inode()) + k_after).path == name);
  }
}

TEST_CASE("fractions of seconds") {
  CHECK(first_of(special('x', "13 mtime=1.5\n") + plain_header(0) + k_after).mtime_nsec == 500000000);
  const TarEntry negative = first_of(special('x', "14 mtime=-1.5\n") + plain_header(0) + k_after);
  CHECK(negative.mtime_sec == -2);
  CHECK(negative.mtime_nsec == 500000000);
}

TEST_CASE("numbers in base 256") {
  std::string size(12, '\0'), mtime(12, '\xff');
  size[0] = '\x80';
  size[11] = 5;
  const std::string text = patched(plain_header(0), {{124, size}, {136, mtime}}) + padded("hello") + k_after;
  const TarEntry entry = first_of(text);
  CHECK(entry.size == 5);
  CHECK(entry.mtime_sec == -1);
}

TEST_CASE("a v7 name that ends in a slash is a directory") {
  CHECK(
      first_of(
          patched(plain_header(0),
                  {{0, "dir/"}, {4, std::string(1, '\0')}, {156, std::string(1, '\0')}, {257, std::string(8, '\0')}}) +
          k_after)
          .type == '5');
}

TEST_CASE("global headers are passed over, alone too") {
  CHECK(first_of(special('g', "13 comment=x\n") + plain_header(0) + k_after).path == "name");
  const std::string only = special('g', "13 comment=x\n") + std::string(1024, '\0');
  TarReader reader = reader_of(only);
  TarEntry entry;
  CHECK_FALSE(reader.next(entry));
}

TEST_CASE("sparse files of all formats") {
  const std::string want = "AAAAA.....BBB..";
  const std::string old = patched(plain_header(8), {{156, "S"},
                                                    {257, std::string("ustar  \0", 8)},
                                                    {386, "00000000000"},
                                                    {397, std::string(1, '\0')},
                                                    {398, "00000000005"},
                                                    {409, std::string(1, '\0')},
                                                    {410, "00000000012"},
                                                    {421, std::string(1, '\0')},
                                                    {422, "00000000003"},
                                                    {433, std::string(1, '\0')},
                                                    {483, "00000000017"},
                                                    {494, std::string(1, '\0')}}) +
                          padded("AAAAABBB");
  const std::string pax00 = special('x',
                                    "22 GNU.sparse.size=15\n26 GNU.sparse.numblocks=2\n23 GNU.sparse.offset=0\n"
                                    "25 GNU.sparse.numbytes=5\n24 GNU.sparse.offset=10\n25 GNU.sparse.numbytes=3\n") +
                            plain_header(8) + padded("AAAAABBB");
  const std::string pax01 =
      special('x', "22 GNU.sparse.size=15\n27 GNU.sparse.map=0,5,10,3\n") + plain_header(8) + padded("AAAAABBB");
  const std::string map = padded("2\n0\n5\n10\n3\n");
  const std::string pax10 = special('x',
                                    "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n25 GNU.sparse.name=other\n"
                                    "26 GNU.sparse.realsize=15\n") +
                            plain_header(map.size() + 8) + map + padded("AAAAABBB");
  for (const std::string& text : {old, pax00, pax01, pax10}) {
    for (const std::size_t piece : {1, 7, 512, 100000}) CHECK(all_content(text + k_after, piece) == want);
  }
}

TEST_CASE("malformed archives are errors") {
  const auto refusal = [](const std::string& text) {
    return error_of([&] {
      TarReader reader = reader_of(text);
      TarEntry entry;
      while (reader.next(entry)) {
      }
    });
  };
  std::string wrong = plain_header(0);
  wrong[0] = 'N';
  CHECK_THAT(refusal(wrong), Contains("checksum"));
  CHECK_THAT(refusal(special('x', "99 path=x\n") + plain_header(0)), Contains("extended header"));
  CHECK_THAT(refusal(special('x', "9 path=x") + plain_header(0)), Contains("extended header"));
  CHECK_THAT(refusal(special('x', "15 size=1234567\n")), Contains("malformed") || Contains("after an extended"));
  CHECK_THAT(refusal(special('x', "9 path=x\n")), Contains("after an extended header"));
  CHECK_THAT(refusal(patched(plain_header(0), {{124, "77777777777"}})), Contains("too early"));
  CHECK_THAT(refusal(patched(plain_header(0), {{124, std::string(12, '\xff')}})), Contains("negative"));
  CHECK_THAT(refusal(patched(plain_header(0), {{124, "\xbf" + std::string(11, '\xff')}})), Contains("too large"));
  CHECK_THAT(refusal(std::string(512, '\0') + plain_header(0)), Contains("zero block"));
  CHECK_THAT(refusal(patched(plain_header(0), {{156, "x"}, {124, "00077777777"}})), Contains("too long"));
  CHECK_THAT(refusal(special('x', "22 GNU.sparse.size=15\n27 GNU.sparse.map=0,5,3,30\n") + plain_header(8) +
                     padded("AAAAABBB")),
             Contains("sparse"));
}
