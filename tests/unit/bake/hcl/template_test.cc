#include "tests/unit/bake/hcl/samples.h"

using namespace mbuild::bake::hcl::samples;
using Catch::Matchers::Contains;

TEST_CASE("escapes of quoted strings, and openings that are meant as text") {
  CHECK(json_of(R"("\t\n\"\\\r")") == R"("\t\n\"\\\r")");
  CHECK(json_of(R"("\u00e9\U0001F600")") == "\"é😀\"");
  CHECK(json_of(R"("$${a} %%{b} $$$${c}")") == R"("${a} %{b} $$${c}")");
  CHECK(json_of(R"("$5 100% {x} $ $$ %")") == R"("$5 100% {x} $ $$ %")");
  CHECK(json_of("\"e\\u0301\" == \"\\u00e9\"") == "true");
}

TEST_CASE("a single interpolation is the value itself, others are text") {
  CHECK(json_of("\"${words}\"") == "[\"a\",\"b\"]");
  CHECK(json_of("\"${1}${2}\"") == "\"12\"");
  CHECK(json_of("\"${\"nested ${\"deep\"}\"}\"") == "\"nested deep\"");
  CHECK_THAT(failure_of("\"x${words}\""), Contains("string template: string required"));
  CHECK_THAT(failure_of("\"x${null}\""), Contains("expression result is null"));
}

TEST_CASE("directives and marks that strip blanks") {
  CHECK(json_of("\"x%{ if on }yes%{ else }no%{ endif }y\"") == "\"xyesy\"");
  CHECK(json_of("\"x%{ if !on }yes%{ endif }y\"") == "\"xy\"");
  CHECK(json_of("\"%{ for i, v in words }${i}=${v},%{ endfor }\"") == "\"0=a,1=b,\"");
  CHECK(json_of("\"a  ${~ \"b\" ~}  c\"") == "\"abc\"");
  CHECK(json_of("\"a %{~ if on ~} b %{~ endif ~} c\"") == "\"abc\"");
}

TEST_CASE("heredocs keep their text, and without indentation where that is asked for") {
  CHECK(json_of("<<E\na \\n ${name}\n  b\nE") == "\"a \\\\n x\\n  b\\n\"");
  CHECK(json_of("<<-E\n    a\n      b\n\n    c\n  E") == "\"a\\n  b\\n\\nc\\n\"");
  CHECK(json_of("<<E\nE") == "\"\"");
  CHECK(json_of("upper(<<E\nin\nE\n)") == "\"IN\\n\"");
  CHECK(json_of("<<E\r\nin\r\nE") == "\"in\\r\\n\"");
  CHECK(json_of("<<-E\n  %{ for v in words ~}\n  ${v}\n  %{ endfor ~}\n  end\n  E") == "\"  a\\n  b\\n  end\\n\"");
}
