#include "cli/display/go_template.h"

#include "base/error.h"
#include "tests/catch.h"

using namespace mbuild;
using mbuild::cli::fill_template;

namespace {

constexpr const char* k_data = R"({
  "Name": "app:1",
  "Manifest": {"digest": "sha256:1", "size": 7, "manifests": [{"platform": {"os": "linux", "architecture": "amd64"}},
                                                               {"platform": {"os": "linux", "architecture": "arm64"}}]},
  "Image": {"linux/amd64": {"config": {"Env": ["A=1", "B=2"]}}},
  "Labels": {"b": "2", "a": "1"},
  "Empty": []
})";

std::string fill(const std::string& text) { return fill_template(text, k_data); }

std::string failure_of(const std::string& text) {
  try {
    fill(text);
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("text and fields, whose names have any case") {
  CHECK(fill("plain") == "plain");
  CHECK(fill("{{.Name}} {{ .Manifest.Digest }} {{.manifest.SIZE}}") == "app:1 sha256:1 7");
  CHECK(fill("{{.Nothing.There}}") == "<no value>");
  CHECK(fill("a {{- .Name -}} b{{/* said aside */}}") == "aapp:1b");
}

TEST_CASE("functions and pipelines") {
  CHECK(fill("{{json .Manifest.Digest}}") == "\"sha256:1\"");
  CHECK(fill("{{.Empty | json}}") == "[]");
  CHECK(fill("{{len .Manifest.Manifests}}") == "2");
  CHECK(fill("{{upper .Name | lower}}") == "app:1");
  CHECK(fill("{{json (index .Image \"linux/amd64\").config.Env}}") == R"(["A=1","B=2"])");
  CHECK(fill("{{(index .Manifest.Manifests 1).Platform.Architecture}}") == "arm64");
  CHECK(fill("{{join (index .Image \"linux/amd64\").Config.Env \",\"}}") == "A=1,B=2");
  CHECK(fill("{{println .Name `x y`}}") == "app:1 x y\n");
}

TEST_CASE("range and if, nested, with else") {
  CHECK(fill("{{range .Manifest.Manifests}}[{{.Platform.OS}}/{{.Platform.Architecture}}]{{end}}") ==
        "[linux/amd64][linux/arm64]");
  CHECK(fill("{{range .Empty}}x{{else}}none{{end}}") == "none");
  CHECK(fill("{{if .Name}}yes{{else}}no{{end}} {{if .Nothing}}yes{{else}}no{{end}}") == "yes no");
  CHECK(fill("{{range .Manifest.Manifests}}{{if .Platform.Nothing}}a{{else}}b{{end}}{{end}}!") == "bb!");
  CHECK(fill("{{if .Nothing}}{{range .Manifest.Manifests}}x{{end}}{{end}}") == "");
}

TEST_CASE("values are printed as Go prints them") {
  CHECK(fill("{{(index .Image \"linux/amd64\").config.Env}}") == "[A=1 B=2]");
  CHECK(fill("{{.Labels}} {{.Empty}}") == "map[a:1 b:2] []");
}

TEST_CASE("functions of docker and Go") {
  CHECK(fill("{{title .Name}} {{pad .Name 1 2}}{{truncate .Name 3}}") == "App:1  app:1  app");
  CHECK(fill("{{index (split .Name \":\") 0}}") == "app");
  CHECK(fill("{{eq .Name \"x\" \"app:1\"}} {{ne .Manifest.size 7}} {{gt .Manifest.size 6}}") == "true false true");
  CHECK(fill("{{and .Name .Empty}} {{or .Empty .Name}} {{not .Empty}}") == "[] app:1 true");
  CHECK(fill("{{printf \"%-6s|%3d|%q\" .Name .Manifest.size .Name}}") == "app:1 |  7|\"app:1\"");
  CHECK(fill("{{print .Name 1}}") == "app:1 1");
  CHECK(fill("{{slice .Name 1 3}}") == "pp");
  CHECK(fill("{{println \"a\\tb\"}}") == "a\tb\n");
  CHECK(fill("{{index .Labels \"none\"}}") == "");
  CHECK(fill("{{\"}}\"}}") == "}}");
}

TEST_CASE("variables, with, and branches that follow an else") {
  CHECK(fill("{{range $key, $value := .Labels}}{{$key}}={{$value}};{{end}}") == "a=1;b=2;");
  CHECK(fill("{{range $i, $one := .Manifest.Manifests}}{{$i}}{{$one.platform.architecture}} {{end}}") ==
        "0amd64 1arm64 ");
  CHECK(fill("{{$name := .Name}}{{with .Manifest}}{{.digest}} {{$name}} {{$.Name}}{{end}}") == "sha256:1 app:1 app:1");
  CHECK(fill("{{with .Nothing}}x{{else}}{{.Name}}{{end}}") == "app:1");
  CHECK(fill("{{if .Empty}}a{{else if .Name}}b{{else}}c{{end}} {{if .Empty}}a{{else if .Empty}}b{{else}}c{{end}}") ==
        "b c");
  CHECK(fill("{{$a := 1}}{{if .Name}}{{$a = 2}}{{end}}{{$a}}") == "2");
}

TEST_CASE("of an object a word after it is a member, and where all is known others are an error") {
  CHECK(fill("{{.Labels \"a\"}}{{.Labels \"c\"}}") == "1");
  CHECK(fill_template("{{.Name}}", k_data, cli::Missing::error) == "app:1");
  CHECK_THROWS_AS(fill_template("{{.Nane}}", k_data, cli::Missing::error), Error);
}

TEST_CASE("what is not understood is an error that says what") {
  CHECK(failure_of("{{.Name").find("unclosed action") != std::string::npos);
  CHECK(failure_of("{{nothing .Name}}").find("\"nothing\" not defined") != std::string::npos);
  CHECK(failure_of("{{if .Name}}x").find("end is missing") != std::string::npos);
  CHECK(failure_of("x{{end}}").find("unexpected end") != std::string::npos);
  CHECK(failure_of("{{}}").find("missing value") != std::string::npos);
  CHECK(failure_of("{{(index .Manifest.Manifests 9)}}").find("out of range") != std::string::npos);
  CHECK(failure_of("{{$x}}").find("undefined variable") != std::string::npos);
  CHECK(failure_of("{{split .Name}}").find("wrong number of args") != std::string::npos);
  CHECK(failure_of("{{eq .Name 1}}").find("incompatible types") != std::string::npos);
  CHECK(failure_of("{{range .Name}}{{end}}").find("can't iterate") != std::string::npos);
  CHECK(failure_of("{{\"open}}").find("unterminated") != std::string::npos);
}
