"""What a build shows while it runs."""
import base64
import datetime
import json

from support import expect, expect_equal, quick


def objects(text):
    """{kind: [objects]} of the lines that are JSON."""
    out = {}
    for line in text.splitlines():
        if line.startswith("{"):
            for kind, found in json.loads(line).items():
                out.setdefault(kind, []).extend(found)
    return out


def moment(text):
    return datetime.datetime.fromisoformat(text[:26] + "+00:00")


@quick
def test_objects_for_programs(case):
    case.dockerfile("FROM busybox", r"RUN printf 'caf\351 \033[1m\n' && echo other >&2")
    shown = objects(case.build("--progress", "rawjson").text)
    run = [v for v in shown["vertexes"] if "RUN" in v["name"]]
    expect_equal(len(run), 2, "objects of the step")
    begun, ended = run
    expect("completed" not in begun and "error" not in ended and "cached" not in ended, "wrong states", run)
    expect(begun["digest"] == ended["digest"] and begun["digest"].startswith("sha256:"), "no digest names the step", run)
    expect(moment(ended["started"]) <= moment(ended["completed"]), "ended before it began", ended)
    now = datetime.datetime.now(datetime.timezone.utc)
    expect(abs((now - moment(ended["completed"])).total_seconds()) < 3600, "not the time of the day", ended)
    logs = [log for log in shown["logs"] if log["vertex"] == begun["digest"]]
    for stream, expected in ((1, b"caf\xe9 \x1b[1m\n"), (2, b"other\n")):
        printed = b"".join(base64.b64decode(log["data"]) for log in logs if log["stream"] == stream)
        expect_equal(printed, expected, "bytes of stream %d" % stream)

    again = objects(case.build(env={"BUILDKIT_PROGRESS": "rawjson"}, plain=False).text)
    expect([v for v in again["vertexes"] if "RUN" in v["name"] and v.get("cached")], "the step is not cached", again)


def test_a_failure_for_programs(case):
    case.dockerfile("FROM busybox", "RUN exit 7")
    shown = objects(case.fails("--progress", "rawjson", says=["exit code: 7"]).text)
    failed = [v for v in shown["vertexes"] if v.get("error")]
    expect_equal(len(failed), 1, "vertices with an error")
    expect("exit code: 7" in failed[0]["error"] and "completed" in failed[0], "no reason", failed)


def test_an_unknown_display(case):
    case.dockerfile("FROM scratch")
    case.fails("--progress", "fancy", says=["invalid progress mode fancy", "rawjson"])
    case.fails(env={"BUILDKIT_PROGRESS": "fancy"}, plain=False, says=["invalid progress mode fancy"])
