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

TEST_CASE("what is not understood is an error that says what") {
  CHECK(failure_of("{{.Name").find("unclosed action") != std::string::npos);
  CHECK(failure_of("{{nothing .Name}}").find("\"nothing\" not defined") != std::string::npos);
  CHECK(failure_of("{{if .Name}}x").find("end is missing") != std::string::npos);
  CHECK(failure_of("x{{end}}").find("unexpected end") != std::string::npos);
  CHECK(failure_of("{{}}").find("missing value") != std::string::npos);
  CHECK(failure_of("{{(index .Manifest.Manifests 9)}}").find("out of range") != std::string::npos);
  CHECK(failure_of("{{\"open}}").find("unterminated") != std::string::npos);
}
