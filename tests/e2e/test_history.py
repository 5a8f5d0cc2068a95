"""Past builds: what is kept of them, and the pages and traces that are made of it."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

from support import BOTH, HANG, Skip, expect, expect_equal, quick


def history(case, *words, root=None):
    return case.check(case.mbuild, "history", *words, "--root", root or case.root)


def listed(case, *words):
    return [json.loads(line) for line in history(case, "ls", "--format", "json", *words).splitlines()]


def build_one(case, *flags, **options):
    case.dockerfile("FROM busybox", "RUN echo said %s && echo %s > /made" % (case.nonce, case.nonce), "COPY Dockerfile /")
    return case.build(*flags, **options)


@quick
def test_list_inspect_logs(case):
    build_one(case, "-t", "app:1")
    build_one(case)
    case.dockerfile("FROM busybox", "RUN echo before the end && exit 3")
    case.fails(status=1)
    builds = listed(case)
    expect_equal([build["status"] for build in builds], ["failed", "completed", "completed"])
    expect_equal(builds[1]["cached_steps"], builds[1]["total_steps"])
    expect_equal([build["status"] for build in listed(case, "--filter", "status=failed")], ["failed"])
    expect_equal(len(listed(case, "--filter", "duration<1h", "--filter", "startedAt<1h")), 3)
    table = history(case, "ls")
    expect("BUILD ID" in table and builds[0]["ref"] in table, table)

    failed = history(case, "inspect", builds[0]["ref"][:6])
    expect("failed" in failed and "exit code: 3" in failed and "build" in failed, failed)
    first = json.loads(history(case, "inspect", "^2", "--format", "json"))
    expect_equal(first["targets"][0]["tags"], ["app:1"])
    expect(first["targets"][0]["images"][0]["digest"].startswith("sha256:"), first)
    expect_equal(history(case, "inspect", "^2", "--format", "{{.status}}").strip(), "completed")

    # What a build printed, printed again, to standard error as it was.
    told = subprocess.run([case.mbuild, "history", "logs", "^2", "--root", case.root], stderr=subprocess.PIPE, text=True,
                          check=True).stderr
    expect("said " + case.nonce in told and "DONE" in told, told)
    told = subprocess.run([case.mbuild, "history", "logs", "--progress", "rawjson", "--root", case.root],
                          stderr=subprocess.PIPE, text=True, check=True).stderr
    expect(any("vertexes" in json.loads(line) for line in told.splitlines() if line.startswith("{")), told)


@quick
def test_remove_export_import(case):
    build_one(case)
    record = history(case, "export")
    (build,) = listed(case)
    case.fails_to_run([case.mbuild, "history", "inspect", "zz", "--root", case.root], "there is no past build zz")
    history(case, "rm", build["ref"])
    expect_equal(listed(case), [])
    path = os.path.join(case.dir, "record")
    with open(path, "w", encoding="utf-8") as f:
        f.write(record)
    expect_equal(history(case, "import", path).strip(), build["ref"])
    expect_equal(listed(case), [build])
    case.fails_to_run([case.mbuild, "history", "import", path, "--root", case.root], "already")
    case.fails_to_run([case.mbuild, "history", "import", "/etc/hostname", "--root", case.root],
                      "is no record of a build", status=4)
    history(case, "rm", "--all")
    expect_equal(listed(case), [])


def test_bounds(case):
    config = case.write("config.toml", "[history]\nentries = 2\n")
    for _ in range(3):
        build_one(case, env={"MBUILD_CONFIG": config})
    expect_equal(len(listed(case)), 2)
    config = case.write("config.toml", "[history]\nenabled = false\n")
    build_one(case, env={"MBUILD_CONFIG": config})
    expect_equal(len(listed(case)), 2)
    config = case.write("config.toml", '[history]\nage = "0s"\n')
    time.sleep(1.1)
    build_one(case, env={"MBUILD_CONFIG": config})
    expect_equal(len(listed(case)), 1)


@quick
def test_running_and_killed(case):
    build_one(case)  # so that there is a store
    case.dockerfile("FROM busybox", "RUN echo begun %s && sleep 300" % case.nonce)
    process = case.start()
    try:
        end = time.monotonic() + HANG
        while "begun" not in history(case, "export", "^0"):
            expect(time.monotonic() < end, "the step never began")
            time.sleep(0.2)
        expect_equal([build["status"] for build in listed(case)], ["running", "completed"])
        case.fails_to_run([case.mbuild, "history", "rm", "^0", "--root", case.root], "is running", status=1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    expect_equal([build["status"] for build in listed(case)], ["interrupted", "completed"])
    expect("begun" in history(case, "open", "-o", "-"))


def test_interrupted_by_user(case):
    case.dockerfile("FROM busybox", "RUN sleep 300")
    process = case.start()
    for line in process.stdout:
        if "RUN sleep" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate()
    expect_equal([build["status"] for build in listed(case)], ["cancelled"])


@quick
def test_report_and_profile(case):
    report, profile = case.dir + "/report.html", case.dir + "/trace.json"
    build_one(case, "--report", report, "--profile", profile, platforms=BOTH)
    with open(report, encoding="utf-8") as f:
        page = f.read()
    expect("said " + case.nonce in page and "linux/arm64" in page)
    expect(not re.search(r"(src|href)=|https?://(?!www\.w3\.org)", re.sub(r"(?s)<script type=.*?</script>", "", page)),
           "the page asks for something from elsewhere")
    with open(profile, encoding="utf-8") as f:
        events = json.load(f)["traceEvents"]
    expect(any(event["ph"] == "X" and "RUN echo said" in event["name"] for event in events), events)
    # The same of a build that is over, and of one that failed.
    expect(page == history(case, "open", "-o", "-"))
    expect_equal(json.loads(history(case, "trace")), {"displayTimeUnit": "ms", "traceEvents": events})
    case.dockerfile("FROM busybox", "RUN exit 7")
    case.fails("--report", report, status=1)
    with open(report, encoding="utf-8") as f:
        expect("exit code: 7" in f.read())


def test_record_that_cant_be_written(case):
    build_one(case)
    shutil.rmtree(case.root + "/history")
    with open(case.root + "/history", "w", encoding="utf-8"):
        pass
    build_one(case, "--report", case.dir + "/report.html")
    expect(os.path.getsize(case.dir + "/report.html") > 10000)
    expect_equal(listed(case), [])


def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise Skip("there is no Chromium")
    return program


def seen(case, page):
    """The document of a page after its scripts have run."""
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
               "--user-data-dir=" + case.dir + "/chromium", "--virtual-time-budget=20000", "--dump-dom", "file://" + page]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
                          timeout=HANG).stdout


def test_report_in_a_browser(case):
    chromium()
    report = case.dir + "/report.html"
    case.dockerfile("FROM busybox AS one", "RUN echo '<b>bold</b>' && echo %s" % case.nonce, "FROM one", "RUN exit 5")
    case.fails("--report", report, status=1, platforms=BOTH)
    document = seen(case, report)
    expect('data-ready="yes"' in document)
    expect(">failed</span>" in document and "exit code: 5" in document)
    expect("<b>bold" not in document)
    stages = ["FROM busybox AS base"] + ["FROM base AS s%d\nCOPY Dockerfile /%d" % (i, i) for i in range(500)]
    case.dockerfile(*stages, "FROM base", *["COPY --from=s%d /%d /all/" % (i, i) for i in range(500)])
    case.build("--report", report)
    document = seen(case, report)
    expect('data-ready="yes"' in document)
    expect(document.count('class="row"') >= 1000, document.count('class="row"'))
