"""What a build shows while it runs."""
import base64
import datetime
import json
import os
import pty
import re
import subprocess

from support import HANG, HOST, expect, expect_equal, quick


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


@quick
def test_what_else_programs_are_told(case):
    case.dockerfile("FROM busybox as lower", "RUN true", "RUN exit 7")
    text = case.fails("--progress", "rawjson", export=False).text
    expect(all(line.startswith("{") for line in text.splitlines()), "not all are objects", text)
    shown = objects_of_all_kinds(text)
    error = shown["error"][0]
    expect(error["line"] == 3 and error["file"] == "Dockerfile" and error["exitStatus"] == 1, error)
    expect("exit code: 7" in error["message"] and ">>> RUN exit 7" in error["excerpt"], error)
    short = [base64.b64decode(w["short"]).decode() for w in shown["warnings"]]
    expect(any(text.startswith("FromAsCasing: ") for text in short), short)
    expect(shown["warnings"][0]["range"][0]["start"]["line"] == 1, shown["warnings"])
    steps = {v["name"].partition("] ")[2]: v for v in shown["vertexes"]}
    expect(steps["RUN true"]["digest"] in steps["RUN exit 7"]["inputs"], steps)


def objects_of_all_kinds(text):
    out = {}
    for line in text.splitlines():
        for kind, found in json.loads(line).items():
            out.setdefault(kind, []).extend(found if isinstance(found, list) else [found])
    return out


@quick
def test_logs_whose_readers_fold_sections(case):
    case.dockerfile("FROM busybox as lower", "RUN echo '::error::x' && echo hello", "RUN exit 7")
    text = case.fails(env={"GITHUB_ACTIONS": "true"}).text
    expect(re.search(r"(?m)^::group::#\d+ \[2/3\] RUN .*\n#\d+ [\d.]+ ::error::x\n#\d+ [\d.]+ hello\n"
                     r"#\d+ DONE [\d.]+s\n::endgroup::$", text), text)
    expect_equal(text.count("::group::"), text.count("::endgroup::"), "groups that end")
    expect(re.search(r"(?m)^::error file=context/Dockerfile,line=3::.*exit code: 7$", text) or
           re.search(r"(?m)^::error file=%s/Dockerfile,line=3::.*exit code: 7" % re.escape(case.context), text), text)
    expect(re.search(r"(?m)^::warning file=.*Dockerfile,line=1::", text), text)
    status, out, errors = printed(case, "env", "GITLAB_CI=true", *case.command())
    sections = re.findall(rb"\x1b\[0Ksection_(start|end):\d+:(\w+)(?:\[collapsed=true\])?\r\x1b\[0K", errors)
    expect(sections and sections[0::2] == [(b"start", name) for _, name in sections[1::2]], sections)
    expect_equal(len(set(name for _, name in sections)), len(sections) // 2, "names of sections")


def test_the_end_says_what_was_made(case):
    case.dockerfile("FROM busybox", "COPY Dockerfile /")
    for progress in ("plain", "tty"):
        text = case.build("--progress", progress, "-t", "app:1").text
        expect(" Built app:1 for %s in " % HOST in text and "   image written to " in text, text)
        expect(re.search(r" \d+ steps? run, \d+ cached\n Next: mbuild verify ", text), text)
    for progress in ("quiet", "none", "rawjson"):
        expect("Built" not in case.build("--progress", progress).text, progress)


@quick
def test_a_failure_ends_with_the_way_to_look_inside(case):
    case.dockerfile("FROM busybox AS lower", "RUN echo content > /found", "RUN cat /found && exit 3")
    text = case.fails().text
    expect(text.index("ERROR:") < text.index("Failed after"), text)
    command = re.search(r"(?m)^   (head -n 2 .*)$", text).group(1)
    expect(command.endswith("/Dockerfile | mbuild build -f - --platform %s -o inside %s" % (HOST, case.context)), command)
    mine = "%s build --root %s --build-context busybox=oci-layout://%s:busybox" % (case.mbuild, case.root, case.bases)
    case.check("sh", "-c", command.replace("mbuild build", mine))
    with open(os.path.join(case.dir, "inside", "found")) as f:
        expect_equal(f.read(), "content\n")
    case.dockerfile("FROM busybox as lower", "RUN exit 3")
    text = case.fails().text
    expect(text.index("ERROR:") < text.index("FromAsCasing"), "a warning before the error", text)


def test_an_unknown_display(case):
    case.dockerfile("FROM scratch")
    case.fails("--progress", "fancy", says=["invalid progress mode fancy", "rawjson"])
    case.fails(env={"BUILDKIT_PROGRESS": "fancy"}, plain=False, says=["invalid progress mode fancy"])


# What must not come through: ESC, C0 but newline and tab, DEL, C1 in UTF-8, bidirectional controls, separators.
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
HOSTILE = r"\033]0;owned\007\033[2J\302\233\342\200\256\342\201\246\342\200\250\377\001"
HOSTILE_TEXT = "\x1b]0;owned\x07\x1b[2J\u009b\u202e\u2066\u2028\x01"


def expect_clean(data):
    text = data.decode("utf-8")  # strict: what is no UTF-8 is not clean
    found = HARMFUL.search(text)
    expect(not found, "not cleaned:", repr(text[max(0, found.start() - 60):found.end() + 20]) if found else "")
    return text


def printed(case, *command):
    """(status, bytes of standard output, of standard error)"""
    done = subprocess.run(command, cwd=case.dir, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=HANG)
    return done.returncode, done.stdout, done.stderr


def test_an_archive_is_not_written_to_a_terminal(case):
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    for dest in ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        expect(b"refusing to write to console" in on_terminal(case, case.command("-o", "type=tar,dest=" + dest)), dest)


def on_terminal(case, command):
    """What a terminal gets."""
    master, slave = pty.openpty()
    process = subprocess.Popen(command, cwd=case.dir, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    data = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        data += piece
    process.wait()
    os.close(master)
    return data


def test_output_of_steps_is_cleaned(case):
    case.dockerfile("FROM busybox", "RUN printf '%s\\nplain\\n' && exit 3" % HOSTILE,
                    "LABEL \x1b[31mx=\u009b", "ENV a=\u202e")
    for progress in ("plain", "rawjson", "quiet"):
        status, out, errors = printed(case, *case.command("--progress", progress, plain=False,
                                                          output=case.next_output()))
        expect_equal(status, 1, progress)
        text = expect_clean(out + errors)
        expect("plain" in text or progress != "plain", "the output is not shown", text)
    screen = on_terminal(case, case.command("--progress", "tty", plain=False, output=case.next_output()))
    # The display's own: colours, rows up, erase, modes of the terminal. Lines end with what the terminal makes of them.
    expect_clean(re.sub(rb"\x1b\[[0-9]*m|\r\x1b\[[0-9]+A|\x1b\[2?[JK]|\x1b\[\?(2026|7)[hl]|\r\n", b"", screen))


def test_names_errors_and_arguments_are_cleaned(case):
    case.dockerfile("FROM busybox", "RUN echo '%s' && true" % HOSTILE_TEXT.replace("\u2028", ""))
    status, out, errors = printed(case, *case.command(output=case.next_output()))
    expect_clean(out + errors)
    expect_equal(status, 0, "a name that was cleaned")
    case.dockerfile("FROM no\x1b[31mwhere\u202e", "RUN true")
    expect_clean(b"".join(printed(case, *case.command(output=case.next_output()))[1:]))
    for arguments in (("--platform", "li\x1b[2Jnux"), ("-o", "type=\u009b"), ("--nothing\x1b]0;x\x07",)):
        status, out, errors = printed(case, *case.command(*arguments))
        expect(status != 0, "no error for", arguments)
        expect_clean(out + errors)
    status, out, errors = printed(case, case.mbuild, "bu\x1b[31mild")
    expect_clean(out + errors)
    case.dockerfile("FROM busybox", "RUN --mount=type=cache,id=c\x1b[31m\u202e,target=/c true")
    case.build()
    for command in (("du", "--verbose"), ("du",), ("du", "--format", "{{.Description}}"), ("prune", "-f", "-a", "--verbose")):
        expect_clean(b"".join(printed(case, case.mbuild, *command, "--root", case.root)[1:]))


def test_a_document_of_a_registry_is_printed_as_it_is_but_for_a_terminal(case):
    import oci
    layout = os.path.join(case.dir, "hostile")
    writer = oci.LayoutWriter(layout)
    manifest = oci.Layout(case.bases).images("busybox")[HOST][1]
    manifest["annotations"] = {"x": "\u009b\u202e\x7f"}
    for blob in [manifest["config"]] + manifest["layers"]:
        writer.blob(oci.Layout(case.bases).blob(blob["digest"]), blob["mediaType"])
    data = json.dumps(manifest, ensure_ascii=False).encode()
    name, architecture = HOST.split("/")
    writer.name("v1", [dict(writer.blob(data, oci.MANIFEST), platform={"os": name, "architecture": architecture})])
    writer.finish()
    command = [case.mbuild, "imagetools", "inspect", "oci-layout://%s:v1" % layout]
    expect_clean(printed(case, *command)[1])
    expect_clean(on_terminal(case, command + ["--raw"]).replace(b"\r\n", b"\n"))


@quick
def test_much_output_without_a_line_end(case):
    case.dockerfile("FROM busybox", "RUN head -c 40000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 4")
    build = case.fails(says=["output clipped, log limit", "the end", "exit code: 4"])
    expect(len(build.text) < 5 << 20, "so much was shown:", len(build.text))
    expect(max(map(len, build.text.splitlines())) < 20000, "a line is too long")


def test_the_bound_of_output_can_be_set(case):
    case.dockerfile("FROM busybox", "RUN seq 100000")
    unlimited = {"BUILDKIT_STEP_LOG_MAX_SIZE": "-1", "BUILDKIT_STEP_LOG_MAX_SPEED": "-1"}
    text = case.build("--no-cache", env=unlimited).text
    expect("output clipped" not in text and len(re.findall(r"(?m)^#\d+ [0-9.]+ \d+$", text)) == 100000, "not all")
    text = case.build("--no-cache", env={"BUILDKIT_STEP_LOG_MAX_SIZE": "1024"}).text
    expect("[output clipped, log limit 1KiB reached]" in text, text[-500:])
    config = os.path.join(case.dir, "config.toml")
    with open(config, "w") as f:
        f.write("[log]\nmax-size = \"2k\"\nmax-speed = \"unlimited\"\n")
    text = case.build("--no-cache", env={"MBUILD_CONFIG": config}).text
    expect("[output clipped, log limit 2KiB reached]" in text, text[-500:])
    case.fails(env={"BUILDKIT_STEP_LOG_MAX_SIZE": "much"}, says=["BUILDKIT_STEP_LOG_MAX_SIZE"])
