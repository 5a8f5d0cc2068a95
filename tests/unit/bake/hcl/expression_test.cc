#include "tests/unit/bake/hcl/samples.h"

using namespace mbuild::bake::hcl::samples;
using Catch::Matchers::Contains;

TEST_CASE("operators bind by their precedence, from left to right") {
  CHECK(json_of("1 + 2 * 3") == "7");
  CHECK(json_of("(1 + 2) * 3") == "9");
  CHECK(json_of("10 - 4 - 3") == "3");
  CHECK(json_of("2 * 7 % 4") == "2");
  CHECK(json_of("-7 % 3") == "-1");
  CHECK(json_of("- -3") == "3");
  CHECK(json_of("!true || true") == "true");
  CHECK(json_of("1 + 1 == 2 ? \"y\" : \"n\"") == "\"y\"");
  CHECK(json_of("true ? false ? 1 : 2 : 3") == "2");
  CHECK(json_of("\"2\" > 1") == "true");
  CHECK(json_of("(\n1 +\n2\n)") == "3");
}

TEST_CASE("operands convert or are refused") {
  CHECK(json_of("\"1\" + \"2\"") == "3");
  CHECK_THAT(failure_of("1 + \"x\""), Contains("Unsuitable value for right operand: a number is required"));
  CHECK_THAT(failure_of("!\"maybe\""), Contains("a bool is required"));
  CHECK_THAT(failure_of("null + 1"), Contains("must not be null"));
  CHECK_THAT(failure_of("0 / 0"), Contains("not defined"));
}

TEST_CASE("a deciding operand hides what is wrong with the other") {
  CHECK(json_of("true || nosuch") == "true");
  CHECK(json_of("false && nosuch") == "false");
  CHECK(json_of("false && null") == "false");
  CHECK(json_of("null && true") == "false");
  CHECK(json_of("null || true") == "true");
  CHECK_THAT(failure_of("null || false"), Contains("null"));
  CHECK_THAT(failure_of("false && \"x\""), Contains("a bool is required"));
  CHECK_THAT(failure_of("true && nosuch"), Contains("There is no variable named \"nosuch\""));
}

TEST_CASE("equality compares type and value") {
  CHECK(json_of("1 == \"1\"") == "false");
  CHECK(json_of("1 == 1.0") == "true");
  CHECK(json_of("null == null") == "true");
  CHECK(json_of("[] == []") == "true");
  CHECK(json_of("convert([\"a\"], list(string)) == [\"a\"]") == "false");
  CHECK(json_of("{a=1} != {a=2}") == "true");
}

TEST_CASE("the results of a conditional have one type") {
  CHECK(json_of("true ? 1 : \"a\"") == "\"1\"");
  CHECK(json_of("true ? true : \"x\"") == "\"true\"");
  CHECK(json_of("false ? \"x\" : null") == "null");
  CHECK(json_of("true ? {a=1} : {a=\"x\"}") == "{\"a\":\"1\"}");
  CHECK(json_of("true ? [1] : []") == "[1]");
  CHECK(json_of("true ? \"a\" : upper(null)") == "\"a\"");
  CHECK_THAT(failure_of("true ? \"x\" : [\"y\"]"), Contains("Inconsistent conditional result types"));
  CHECK_THAT(failure_of("\"maybe\" ? 1 : 2"), Contains("has to be a bool"));
  CHECK_THAT(failure_of("null ? 1 : 2"), Contains("Null condition"));
}

TEST_CASE("a result that fails has the type that its form shows") {
  CHECK(json_of("true ? 1 : \"x${nosuch}\"") == "\"1\"");
  CHECK(json_of("true ? 1 : nosuch") == "1");
  CHECK(json_of("true ? [1] : [nosuch]") == "[1]");
  for (const char* wrong : {"true ? [1] : \"x${nosuch}\"", "true ? 1 : nosuch == 1", "true ? [1] : -nosuch",
                            "true ? \"a\" : { b = nosuch }", "true ? {} : ([nosuch])"}) {
    INFO(wrong);
    CHECK_THAT(failure_of(wrong), Contains("Inconsistent conditional result types"));
  }
}

TEST_CASE("types decide a conversion where the value cannot") {
  CHECK_THAT(failure_of("true && convert(null, list(string))"), Contains("bool required"));
  CHECK(json_of("true && convert(null, bool)") == "false");
  CHECK_THAT(failure_of("convert(null, number)[*] == [] && convert(null, list(string))[*] == []"),
             Contains("Splat of null value"));
  CHECK(json_of("convert([{a = 1}, {a = 2}], list(object({a = number})))[*].a == convert([1, 2], list(number))") ==
        "true");
  CHECK(json_of("convert([], list(string))[*] == convert([], list(string))") == "true");
  CHECK(json_of("false ? [\"7\"] : convert([2, 10], set(number))") == "[2,10]");
  CHECK_THAT(failure_of("true ? [\"a\"] : convert([1], set(number))"),
             Contains("Inconsistent conditional result types"));
  CHECK_THAT(failure_of("convert(convert([], list(string)), list(list(string)))"), Contains("required"));
}

TEST_CASE("text is a number with an exponent of two, or infinity, too") {
  CHECK(json_of("\"1p5\" + 1") == "33");
  CHECK(json_of("\"1.5P-1\" + 0") == "0.75");
  CHECK(json_of("[\"inf\" > 1e30, \"-Inf\" < 0]") == "[true,true]");
  CHECK_THAT(failure_of("\"1p\" + 0"), Contains("a number is required"));
  CHECK_THAT(failure_of("\"infinity\" + 0"), Contains("a number is required"));
}

TEST_CASE("numbers keep 512 bits and are shown by their shortest digits") {
  CHECK(json_of("\"${0.1 + 0.2} ${1.10} ${1e21} ${1e-7} ${-0} ${007}\"") ==
        "\"0.3 1.1 1000000000000000000000 0.0000001 -0 7\"");
  CHECK(json_of("2/3").size() == 2 + 154);
  CHECK(json_of("divide(1, 3)") == "0." + std::string(154, '3') + "5");
  CHECK(json_of("\"${1 / 0} ${-1 / 0}\"") == "\"+Inf -Inf\"");
  CHECK(json_of("pow(2, 100)") == "1267650600228229400000000000000");
}

TEST_CASE("a point of a number may stand before its exponent") {
  CHECK(json_of("[1.e2, 1.5e1, 1e+1, 2.E-1]") == "[100,15,10,0.2]");
  CHECK(failure_of("1.e") != "");
}

TEST_CASE("indexes and attributes lead to parts") {
  CHECK(json_of("[\"a\", \"b\"][1]") == "\"b\"");
  CHECK(json_of("[[1], [2, 3]].1.0") == "2");
  CHECK(json_of("{\"1\" = \"one\"}[1]") == "\"one\"");
  CHECK(json_of("{k = {l = [7]}}.k[\"l\"][0]") == "7");
  CHECK(json_of("words[on ? 0 : 1]") == "\"a\"");
  CHECK_THAT(failure_of("[\"x\"][1]"), Contains("Invalid index"));
  CHECK_THAT(failure_of("[\"x\"][-1]"), Contains("Invalid index"));
  CHECK_THAT(failure_of("{b = 1}.c"), Contains("Unsupported attribute; This object has no attribute \"c\""));
  CHECK_THAT(failure_of("nothing[0]"), Contains("null"));
}

TEST_CASE("a splat applies steps to each element") {
  CHECK(json_of("[{n=\"a\"}, {n=\"b\"}][*].n") == "[\"a\",\"b\"]");
  CHECK(json_of("[{n=\"a\"}, {n=\"b\"}].*.n") == "[\"a\",\"b\"]");
  CHECK(json_of("[[1, 2], [3]][*][0]") == "[1,3]");
  CHECK(json_of("{n=\"a\"}[*].n") == "[\"a\"]");
  CHECK(json_of("null[*]") == "[]");
  CHECK(json_of("[{n=[1, 2]}].*.n[0]") == "[1,2]");
}

TEST_CASE("loops build tuples and objects") {
  CHECK(json_of("[for i, v in words: \"${i}${v}\"]") == "[\"0a\",\"1b\"]");
  CHECK(json_of("[for k, v in {b=1, a=2}: \"${k}=${v}\"]") == "[\"a=2\",\"b=1\"]");
  CHECK(json_of("{for v in [\"ab\", \"cd\", \"ae\"]: substr(v, 0, 1) => v...}") ==
        "{\"a\":[\"ab\",\"ae\"],\"c\":[\"cd\"]}");
  CHECK(json_of("[for v in [1, 2, 3]: v if v % 2 == 1]") == "[1,3]");
  CHECK(json_of("[for name in words: name]") == "[\"a\",\"b\"]");
  CHECK_THAT(failure_of("{for v in [1, 1]: v => v}"), Contains("Duplicate object key"));
  CHECK_THAT(failure_of("[for v in \"abc\": v]"), Contains("non-iterable"));
  CHECK_THAT(failure_of("[for v in nothing: v]"), Contains("null"));
  CHECK_THAT(failure_of("[for v in words: v if \"x\"]"), Contains("bool"));
}

TEST_CASE("objects take keys of all kinds and separators of two") {
  CHECK(json_of("{ a = 1, b : 2\n \"c d\" = 3\n (name) = 4, \"${name}y\" = 5, 6 = 7 }") ==
        "{\"6\":7,\"a\":1,\"b\":2,\"c d\":3,\"x\":4,\"xy\":5}");
  CHECK_THAT(failure_of("{ a = 1 b = 2 }"), Contains("Missing attribute separator"));
  CHECK_THAT(failure_of("{ a.b = 1 }"), Contains("Ambiguous attribute key"));
  CHECK_THAT(failure_of("{ (nothing) = 1 }"), Contains("null"));
}
