#include "base/codec.h"

#include <limits>

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;
using mbuild::testing::error_of;

namespace mbuild::executor::codec_test {

enum class Colour { red, green };

struct Part {
  std::string name;
  bool flag = false;
  bool operator==(const Part&) const = default;
};

struct Whole {
  std::int64_t number = 0;
  Colour colour = Colour::red;
  std::optional<std::string> maybe;
  std::vector<Part> parts;
  std::map<std::string, std::vector<int>> lists;
  std::pair<std::string, std::uint8_t> pair;
  bool operator==(const Whole&) const = default;
};

const Whole k_whole{.number = std::numeric_limits<std::int64_t>::min(),
                    .colour = Colour::green,
                    .maybe = std::string("a\0b", 3),
                    .parts = {{"one", true}, {"", false}},
                    .lists = {{"", {}}, {"x", {1, -2}}},
                    .pair = {"p", std::uint8_t{255}}};

TEST_CASE("A message comes back as it was sent") { CHECK(decode<Whole>(encode(k_whole)) == k_whole); }

template <class T>
void check_numbers(std::initializer_list<T> numbers) {
  for (const T number : numbers) {
    CAPTURE(number);
    CHECK(decode<T>(encode(number)) == number);
  }
}

TEST_CASE("Numbers come back, however large") {
  check_numbers<std::int64_t>({0, 1, -1, 63, 64, -64, -65, 127, 128, std::numeric_limits<std::int64_t>::max(),
                               std::numeric_limits<std::int64_t>::min()});
  check_numbers<std::uint64_t>({0, 127, 128, 1ULL << 63, std::numeric_limits<std::uint64_t>::max()});
  check_numbers<int>({std::numeric_limits<int>::min(), std::numeric_limits<int>::max()});
  check_numbers<char>({'\0', '\x7f', '\x80', '\xff'});
  check_numbers<std::uint8_t>({0, 255});
}

TEST_CASE("A number that is too large for its place is an internal error") {
  CHECK(error_of([] { decode<std::uint32_t>(encode(std::uint64_t{1} << 32)); }).starts_with("70 "));
  CHECK(error_of([] { decode<int>(encode(std::int64_t{1} << 31)); }).starts_with("70 "));
  CHECK(error_of([] { decode<std::uint64_t>(std::string(10, '\xff')); }).starts_with("70 "));
}

TEST_CASE("An empty message comes back empty") { CHECK(decode<Whole>(encode(Whole{})) == Whole{}); }

TEST_CASE("An optional that is there and empty is told from one that is not") {
  Whole whole;
  whole.maybe = "";
  CHECK(decode<Whole>(encode(whole)).maybe == "");
}

TEST_CASE("A message that is cut anywhere is an internal error") {
  const std::string bytes = encode(k_whole);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(error_of([&] { decode<Whole>(std::string_view(bytes).substr(0, size)); }).starts_with("70 "));
  }
}

TEST_CASE("A message with bytes too many is an internal error") {
  CHECK(error_of([] { decode<Whole>(encode(k_whole) + "x"); }).starts_with("70 "));
}

TEST_CASE("A length that no message can have is an internal error") {
  const std::string bytes = encode(std::numeric_limits<std::size_t>::max());
  CHECK(error_of([&] { decode<std::string>(bytes); }).starts_with("70 "));
  CHECK(error_of([&] { decode<std::vector<std::string>>(bytes); }).starts_with("70 "));
}

struct Parcel {
  std::vector<Fd> files;
  Fd none;
  Unsent<int> here;
  Lent<Part> lent, nothing;
};

TEST_CASE("Descriptors travel beside the bytes, in any number, and the receiver owns them") {
  Parcel parcel{.files = {}, .none = {}, .here = {7}, .lent = {}, .nothing = {}};
  parcel.files.push_back(memory_file("one"));
  parcel.files.push_back(memory_file("two"));
  parcel.lent.shared = std::make_shared<Part>(Part{"name", true});
  Encoder encoder;
  encoder(parcel);
  std::vector<Fd> sent;
  for (const int fd : encoder.descriptors()) sent.push_back(duplicate(fd));
  REQUIRE(sent.size() == 2);
  const std::string bytes = encoder.take();
  const auto back = decode<Parcel>(bytes, sent);
  CHECK(read_all(back.files.at(0).get()) == "one");
  CHECK(read_all(back.files.at(1).get()) == "two");
  CHECK_FALSE(back.none);
  CHECK(back.here.value == 0);
  CHECK(back.lent.own == Part{"name", true});
  CHECK_FALSE(back.nothing.own);
  CHECK(error_of([&] { decode<Parcel>(bytes); }).starts_with("70 "));
  CHECK(error_of([&] { encode(parcel); }).starts_with("70 "));
}

TEST_CASE("The members of an aggregate are counted whatever their types are") {
  CHECK(k_member_count<Part> == 2);
  CHECK(k_member_count<Whole> == 6);
  CHECK(k_member_count<Parcel> == 5);
}

}  // namespace mbuild::executor::codec_test
