#include "bake/hcl/functions.h"

#include <algorithm>

#include "bake/hcl/json.h"
#include "bake/hcl/parse.h"
#include "tests/unit/bake/hcl/samples.h"

using namespace mbuild::bake::hcl;
using namespace mbuild::bake::hcl::samples;
using Catch::Matchers::Contains;

TEST_CASE("the table has the standard functions") {
  const auto names = standard_function_names();
  CHECK(names.size() == 104);
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(standard_function("nosuch") == nullptr);
}

TEST_CASE("arguments are counted, converted and null only where that is allowed") {
  CHECK(json_of("upper(12)") == "\"12\"");
  CHECK(json_of("max([1, 3, 2]...)") == "3");
  CHECK_THAT(failure_of("upper([\"x\"])"), Contains("Invalid value for \"str\" parameter: string required"));
  CHECK_THAT(failure_of("upper(null)"), Contains("argument must not be null"));
  CHECK_THAT(failure_of("split(\",\")"), Contains("Not enough function arguments"));
  CHECK_THAT(failure_of("upper(\"a\", \"b\")"), Contains("Too many function arguments"));
  CHECK_THAT(failure_of("nosuch(1)"), Contains("There is no function named \"nosuch\""));
  CHECK_THAT(failure_of("max(\"x\"...)"), Contains("expanding argument"));
}

TEST_CASE("strings are text of characters") {
  CHECK(json_of("title(\"o'neil four_five two-three\")") == "\"O'Neil Four_five Two-Three\"");
  CHECK(json_of("upper(\"straße ﬁ\")") == "\"STRAßE ﬁ\"");
  CHECK(json_of("reverse(\"añb🤷🏽‍♀️c\")") == "\"c🤷🏽‍♀️bña\"");
  CHECK(json_of("strlen(\"🤷🏽‍♀️\")") == "1");
  CHECK(json_of(
            "[substr(\"hello\", -3, 2), substr(\"hello\", 2, 0), substr(\"hello\", -3, 0), substr(\"hello\", 9, 1)]") ==
        "[\"ll\",\"\",\"llo\",\"\"]");
  CHECK(json_of("[trim(\"!a!\", \"!\"), trimspace(\"\\u00a0x \"), chomp(\"x\\r\\n\\n\"), indent(1, \"a\\nb\")]") ==
        "[\"a\",\"x\",\"x\",\"a\\n b\"]");
  CHECK(json_of("[replace(\"aaa\", \"aa\", \"b\"), replace(\"ab\", \"\", \"-\")]") == "[\"ba\",\"-a-b-\"]");
  CHECK(json_of("[split(\"\", \"añ\"), split(\",\", \"\")]") == "[[\"a\",\"ñ\"],[\"\"]]");
}

TEST_CASE("formats") {
  CHECK(json_of("format(\"%5s|%-5s|%05d|%+d|% d|%8.3f|%.2s\", \"ab\", \"cd\", 42, 5, 5, 3.14159, \"abc\")") ==
        "\"   ab|cd   |00042|+5| 5|   3.142|ab\"");
  CHECK(json_of("format(\"%b %o %x %X %#x %e %g %v\", 10, 8, 255, 255, 255, 12345.678, 1e21, null)") ==
        "\"1010 10 ff FF 0xff 1.234568e+04 1e+21 null\"");
  CHECK(json_of("format(\"%08.3d|%+08.3d|%.0d|%08d\", 5, 5, 0, -5)") == "\"     005|    +005||-0000005\"");
  CHECK_THAT(failure_of("format(\"%d\", \"x\")"), Contains("format") && Contains("number is required"));
}

TEST_CASE("regular expressions") {
  CHECK(json_of("regexall(\"a*\", \"baac\")") == "[\"\",\"aa\",\"\"]");
  CHECK(json_of("regex(\"(?P<y>\\\\d+)-(?P<m>\\\\d+)\", \"2026-11\")") == "{\"m\":\"11\",\"y\":\"2026\"}");
  CHECK(json_of("regex(\"(a)|(b)\", \"b\")") == "[null,\"b\"]");
  CHECK(json_of("[regex_replace(\"aaa\", \"a*?\", \"x\"), regex_replace(\"ab\", \"(?P<n>a)\", \"<$n>\")]") ==
        "[\"xaxaxax\",\"\\u003ca\\u003eb\"]");
  CHECK(json_of("can(regex(\"(?=a)\", \"a\"))") == "false");
}

TEST_CASE("patterns are those of Go") {
  CHECK(json_of("regex(\"(?<n>a+)\", \"baa\")") == "{\"n\":\"aa\"}");
  CHECK(json_of("regexall(\"[[:alpha:](?<]|(?<x>1)\", \"(1\")") == "[{\"x\":null},{\"x\":\"1\"}]");
  CHECK(json_of("regex(\"\\\\(?<\", \"(<\")") == "\"(\\u003c\"");
  CHECK_THAT(failure_of("regex(\"a\\\\C\", \"ab\")"), Contains("invalid escape sequence"));
  CHECK(json_of("regex(\"\\\\Q\\\\C\\\\E\", \"\\\\C\")") == "\"\\\\C\"");
}

TEST_CASE("keys of functions are not converted") {
  CHECK(json_of("[hasindex([1], \"0\"), hasindex([1], \"x\"), hasindex([1], true), hasindex([1], 0)]") ==
        "[false,false,false,true]");
  CHECK_THAT(failure_of("index([1], \"0\")"), Contains("key of a list or tuple is a number"));
}

TEST_CASE("the elements of a set are in the order of others") {
  CHECK(json_of("convert([2, null, 1], set(number))") == "[1,2,null]");
  CHECK(json_of("convert([[\"a\", 2], [\"b\", 1], [\"a\", 10]], set(tuple([string, number])))") ==
        "[[\"a\",10],[\"a\",2],[\"b\",1]]");
  CHECK(json_of("convert([[], [\"b\"], [\"a\"]], set(list(string)))") == "[[\"a\"],[\"b\"],[]]");
}

TEST_CASE("a plain null has a type in common with anything") {
  CHECK(json_of("coalesce(null, {a = 1}, \"x\")") == "{\"a\":1}");
  CHECK_THAT(failure_of("coalesce({a = 1}, \"x\")"), Contains("of one type"));
}

TEST_CASE("zero has no sign where numbers are made whole") {
  CHECK(json_of("[ceil(-0.5), int(-0.5), floor(-0)]") == "[0,0,0]");
}

TEST_CASE("collections") {
  CHECK(typed_json_of("convert([\"b\", \"a\", \"b\"], set(string))", "set of string") == "[\"a\",\"b\"]");
  CHECK(typed_json_of("distinct([1, \"1\", 2])", "list of string") == "[\"1\",\"2\"]");
  CHECK(typed_json_of("merge({a=1}, null, {b=2})", "object") == "{\"a\":1,\"b\":2}");
  CHECK(json_of("flatten([[\"a\", [\"b\"]], [], \"c\"])") == "[\"a\",\"b\",\"c\"]");
  CHECK(json_of("coalesce(null, 1, \"x\")") == "\"1\"");
  CHECK(json_of("setunion([\"10\", \"9\"], [\"100\"])") == "[\"10\",\"100\",\"9\"]");
  CHECK(json_of("setproduct([\"a\"], [1, 2])") == "[[\"a\",1],[\"a\",2]]");
  CHECK(json_of("range(10, 0, -3)") == "[10,7,4,1]");
  CHECK(json_of("element([\"a\", \"b\", \"c\"], -1)") == "\"c\"");
  CHECK(json_of("can(length({a=1}))") == "false");
  CHECK(json_of("can(range(5000))") == "false");
}

TEST_CASE("collections of several types become one type, or are refused") {
  CHECK(json_of("concat(convert([\"a\"], list(string)), convert([1], list(number)))") == "[\"a\",\"1\"]");
  CHECK(json_of("setsubtract([1], convert([], list(string)))") == "[\"1\"]");
  CHECK(json_of("setunion([1], [])") == "[1]");
  CHECK(json_of("coalesce(convert([3, 2], set(number)), [\"a\"])") == "[2,3]");
  CHECK(json_of("merge(null, convert({a = 1}, map(string)))") == "{\"a\":\"1\"}");
  for (const char* wrong :
       {"distinct([null, []])", "setunion([null], [[]])", "coalescelist([1], null)", "coalescelist([1], 1)",
        "merge({a = 1}, convert(null, list(string)))", "length(merge(null, convert({a = 1}, map(string))))",
        "lookup(convert({a = 1}, map(number)), \"a\", \"x\")", "indexof([1, null], null)"}) {
    INFO(wrong);
    CHECK_FALSE(failure_of(wrong).empty());
  }
}

TEST_CASE("arithmetic beyond what is whole or finite is refused, and powers are products") {
  CHECK(json_of("[pow(1e-7, 3), pow(10, -2), pow(2, 100), pow(-2, 3), pow(0, 0), pow(9, 0.5)]") ==
        "[0.0000000000000000000009999999999999997,0.01,1267650600228229400000000000000,-8,1,3]");
  for (const char* wrong : {"7 % (1 / 0)", "modulo(7, 1 / 0)", "int(1 / 0)", "signum(1e30)", "signum(0.5)"}) {
    INFO(wrong);
    CHECK_FALSE(failure_of(wrong).empty());
  }
}

TEST_CASE("encodings and digests") {
  CHECK(
      json_of("[base64encode(\"é\"), base64decode(\"aGk=\"), can(base64decode(\"/w==\")), can(base64decode(\"%\"))]") ==
      "[\"w6k=\",\"hi\",false,false]");
  CHECK(json_of("urlencode(\"a b&é~*\")") == "\"a+b%26%C3%A9~%2A\"");
  CHECK(json_of("jsonencode({b=[1, null], a=\"<&>\"})") ==
        "\"{\\\"a\\\":\\\"\\\\u003c\\\\u0026\\\\u003e\\\",\\\"b\\\":[1,null]}\"");
  CHECK(json_of("jsondecode(\"{\\\"a\\\":[1e3,\\\"\\\\ud83d\\\\ude00\\\"]}\")") == "{\"a\":[1000,\"😀\"]}");
  CHECK(json_of("csvdecode(\"a,b\\n\\\"x,y\\\",z\\n\")") == "[{\"a\":\"x,y\",\"b\":\"z\"}]");
  CHECK(json_of("md5(\"hello\")") == "\"5d41402abc4b2a76b9719d911017c592\"");
  CHECK(json_of("uuidv5(\"dns\", \"example.com\")") == "\"cfbff0d1-9375-5685-968c-48ce8b15ae17\"");
}

TEST_CASE("addresses, dates and versions") {
  CHECK(json_of("[cidrhost(\"::/64\", 65536), cidrhost(\"1:0:0:2::/64\", 0), cidrhost(\"1:2:3:4:5:6:0:8/128\", 0)]") ==
        "[\"::1:0\",\"1:0:0:2::\",\"1:2:3:4:5:6:0:8\"]");
  CHECK(json_of("[cidrhost(\"10.12.127.0/20\", 16), cidrhost(\"fd00::/8\", -1)]") ==
        "[\"10.12.112.16\",\"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\"]");
  CHECK(json_of("cidrsubnets(\"10.1.0.0/16\", 4, 8, 4)") == "[\"10.1.0.0/20\",\"10.1.16.0/24\",\"10.1.32.0/20\"]");
  CHECK(json_of("formatdate(\"EEE D MMM YYYY H:mm AA ZZZ 'o''clock'\", \"2006-01-02T15:04:05-07:30\")") ==
        "\"Mon 2 Jan 2006 3:04 PM -0730 o'clock\"");
  CHECK(json_of("timeadd(\"2026-03-01T00:00:00+02:00\", \"-24h0.5s\")") == "\"2026-02-27T23:59:59+02:00\"");
  CHECK(json_of("[for c in [\"^1.2\", \"~1.2\", \"1.x || >=3\", \">=1, <1.2\", \"1.2 - 1.6\", \"!=1.3.0\"]: "
                "semvercmp(\"1.3.0\", c)]") == "[true,false,true,false,true,false]");
}

TEST_CASE("a name space has several forms") {
  const std::string uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
  const auto of = [](const std::string& name_space) { return json_of("uuidv5(\"" + name_space + "\", \"a\")"); };
  CHECK(of("urn:uuid:" + uuid) == of("dns"));
  CHECK(of("{" + uuid + "}") == of("dns"));
  CHECK(of("6ba7b8109dad11d180b400c04fd430c8") == of("dns"));
  CHECK_THAT(failure_of("uuidv5(\"{x}\", \"a\")"), Contains("a name space is"));
}

TEST_CASE("some functions get their arguments unevaluated") {
  CHECK(json_of("try(nosuch.here, upper(null), 3)") == "3");
  CHECK(json_of("[can(nosuch), can(1 / 0)]") == "[false,true]");
  CHECK(json_of("[convert(\"12\", number), can(convert(\"yes\", bool))]") == "[12,false]");
  CHECK(json_of("can(convert({a=1}, object({a=number, b=optional(string)})))") == "false");
  CHECK(json_of("homedir()") == "\"/home/sample\"");
  CHECK_THAT(failure_of("try(upper(null), [][1])"), Contains("no expression succeeded"));
}

TEST_CASE("a user's function sees its parameters over what is global") {
  const File file = parse_native("f", "result = \"${a}${b}${length(rest)}\"\n");
  Scope global;
  global.values = {{"a", string_value("global")}, {"b", string_value("!")}};
  const Function function = user_function({"a"}, "rest", *file.body.attributes[0].expression, global);
  const Elements arguments{string_value("x"), string_value("y")};
  CHECK(to_json(call_function(function, "f", arguments, {})) == "\"x!1\"");
}
