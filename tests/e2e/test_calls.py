"""--call: what a Dockerfile offers, without building it."""
import base64
import json

from support import expect, expect_equal, quick

LINES = ("# KIND what to build", "ARG KIND=busybox", "FROM ${KIND} AS tools", "RUN --mount=type=secret,id=key x",
         "# main the program", "FROM scratch AS main", "COPY --from=tools /bin /", "FROM --platform=linux/arm64 tools")


def call(case, *arguments):
    return case.check(case.mbuild, "build", "--root", case.root, *arguments, case.context)


@quick
def test_outline(case):
    case.dockerfile(*LINES)
    text = call(case, "--call", "outline", "--target", "main")
    expect_equal(text, "TARGET:      main\nDESCRIPTION: the program\n\n"
                       "BUILD ARG   VALUE     DESCRIPTION\nKIND        busybox   what to build\n\n"
                       "SECRET   REQUIRED\nkey      \n\n")
    outline = json.loads(call(case, "--call", "outline,format=json", "--build-arg", "KIND=other"))
    expect_equal(outline["args"], [{"name": "KIND", "description": "what to build", "value": "other",
                                    "location": {"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]}}])
    expect_equal(base64.b64decode(outline["sources"][0]).decode(), "\n".join(LINES) + "\n")


def test_offline(case):
    """Nothing is looked up; what needs no metadata is checked, and what is left out is named."""
    case.dockerfile("from 127.0.0.1:1/nothing:1", "COPY Dockerfile /")
    offline = [case.mbuild, "build", "--root", case.root, "--offline", case.context]
    checked = case.run(offline + ["--check"])
    expect_equal(checked.status, 1)
    expect("--offline: not looked up" in checked.text and "127.0.0.1:1/nothing:1" in checked.text, checked.text)
    expect("ConsistentInstructionCasing" in checked.text and "refused" not in checked.text, checked.text)
    case.dockerfile("FROM 127.0.0.1:1/nothing:1", "COPY Dockerfile /")
    expect_equal(case.run(offline + ["--check"]).status, 0)
    for call_name in ("outline", "targets"):
        expect_equal(case.run(offline + ["--call", call_name]).status, 0)
    case.fails_to_run(offline, "--offline goes with --check and --call only")
    case.fails_to_run(offline[:-1] + ["--check", "https://127.0.0.1:1/x.git"], "the context is an address")


def test_check_tells_the_place_of_an_error(case):
    case.dockerfile("FROM scratch", "ENV a \\", "  b", "XYZ")
    result = case.run([case.mbuild, "build", "--root", case.root, "--call", "check,format=json", case.context])
    expect_equal(result.status, 1)
    error = json.loads(result.text[result.text.index("{"):])["buildError"]
    expect("unknown instruction: XYZ" in error["message"], error)
    expect_equal(error["location"], {"sourceIndex": 0, "ranges": [{"start": {"line": 4}, "end": {"line": 4}}]})


def test_places_have_a_range_a_line(case):
    case.dockerfile("FROM scratch", "ENV a \\", "  b", "ARG \\", "  x=1")
    result = case.run([case.mbuild, "build", "--root", case.root, "--call", "check,format=json", case.context])
    warning = json.loads(result.text[result.text.index("{"):])["warnings"][0]
    expect_equal(warning["location"]["ranges"], [{"start": {"line": n}, "end": {"line": n}} for n in (2, 3)])
    outline = json.loads(call(case, "--call", "outline,format=json"))
    expect_equal(outline["args"][0]["location"]["ranges"],
                 [{"start": {"line": n}, "end": {"line": n}} for n in (4, 5)])


def test_targets(case):
    case.dockerfile(*LINES)
    expect_equal(call(case, "--call", "targets"), "TARGET    DESCRIPTION\ntools     \nmain      the program\n(default) \n")
    targets = json.loads(call(case, "--call", "targets,format=json"))["targets"]
    expect_equal([(t.get("name"), t.get("base"), t.get("platform"), t.get("default")) for t in targets],
                 [("tools", "${KIND}", None, None), ("main", "scratch", None, None),
                  (None, "tools", "linux/arm64", True)])


def test_other_calls(case):
    case.dockerfile(*LINES)
    expect("outline" in call(case, "--call", "subrequests.describe"))
    names = [r["name"] for r in json.loads(call(case, "--call", "subrequests.describe,format=json"))]
    expect("frontend.targets" in names, names)
    case.fails("--call", "outlin", status=2, says=["unsupported call", "did you mean outline?"])
    case.fails("--call", "outline,format=xml", status=2, says=["unsupported format"])


def test_the_language_reference(case):
    text = case.check(case.mbuild, "build", "--help-dockerfile")
    expect("COPY [FLAGS]" in text and "--exclude=PATTERN" in text and "type=TYPE" in text)


def test_the_word_build_may_be_left_out(case):
    case.dockerfile("FROM busybox", "COPY Dockerfile /")
    command = [word for word in case.command("-t", "x/y:1") if word != "build"]
    expect_equal(case.run(command).status, 0)
    expect_equal(case.run(command[:1] + command[-1:] + command[1:-1]).status, 0)
    case.fails_to_run([case.mbuild, "biuld", "."], "neither a command nor a directory", "did you mean build?")
    case.fails_to_run([case.mbuild, "--verson"], "did you mean --version?")
    case.fails_to_run([case.mbuild, "build", case.context + "/Dockerfile"], "is a file", "-f ")
