"""Containers that end and are started again, and who waits for their ends."""
import os
import signal
import subprocess
import time

from support import HANG, expect, expect_equal, quick
from test_containers import image, mbuild, rows, start, until


def begin(case, *words):
    """A command in the background, as a process."""
    return subprocess.Popen([case.mbuild, words[0], "--root", case.root, *words[1:]], text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def outcome(process):
    try:
        text = process.communicate(timeout=HANG)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        expect(False, "it hangs:", " ".join(process.args[1:]))
    return process.returncode, text.strip()


# Ends with 3 in its first life, with 4 in its second, and so on.
COUNTER = ("sh", "-c", "echo x >> /lives; n=$(wc -l < /lives); trap 'exit $((n + 2))' TERM; echo ready;"
           " while :; do sleep 0.05; done")


def lives_noted(case, name):
    return mbuild(case, "logs", name).split("\n").count("ready")


@quick
def test_wait_tells_of_the_end_that_came_first(case):
    start(case, *COUNTER, flags=("--name", "one"))
    for life in range(1, 5):
        until(lambda: lives_noted(case, "one") == life, "life %d" % life)
        waiting = [begin(case, "wait", "one"), begin(case, "wait", "one", "one")]
        time.sleep(0.3)
        mbuild(case, "restart", "one")
        expect_equal(outcome(waiting[0]), (0, str(life + 2)))
        expect_equal(outcome(waiting[1]), (0, "%d\n%d" % (life + 2, life + 2)))


@quick
def test_restarts_at_once_all_return(case):
    start(case, *COUNTER, flags=("--name", "one"))
    for _ in range(4):
        at_once = [begin(case, "restart", "-t", "0", "one") for _ in range(3)]
        for process in at_once:
            expect_equal(outcome(process), (0, "one"))
        expect_equal([row["State"] for row in rows(case)], ["running"])
    mbuild(case, "stop", "one")
    at_once = [begin(case, "start", "one") for _ in range(3)]
    for process in at_once:
        expect_equal(outcome(process), (0, "one"))
    at_once = [begin(case, word, "one") for word in ("stop", "restart", "stop")]
    for process in at_once:
        expect_equal(outcome(process), (0, "one"))


def test_restarts_at_once_keep_what_goes_with_its_end(case):
    start(case, *COUNTER, flags=("--name", "one", "--rm"))
    for _ in range(4):
        at_once = [begin(case, "restart", "-t", "0", "one") for _ in range(2)]
        for process in at_once:
            expect_equal(outcome(process), (0, "one"))
    mbuild(case, "stop", "one")
    until(lambda: rows(case, "-a") == [], "it is removed")


@quick
def test_wait_for_one_that_goes_with_its_end(case):
    first = start(case, "sh", "-c", "sleep 0.3; exit 7", flags=("--rm",))
    second = start(case, "sh", "-c", "sleep 0.2; exit 8", flags=("--rm",))
    expect_equal(outcome(begin(case, "wait", first, second)), (0, "7\n8"))
    status, text = outcome(begin(case, "wait", "nosuch", start(case, "sh", "-c", "sleep 0.2; exit 9", flags=("--rm",))))
    expect_equal((status, "no such container: nosuch" in text, text.split("\n")[-1]), (1, True, "9"))


@quick
def test_wait_for_one_that_is_restarted_by_itself(case):
    start(case, "sh", "-c", "echo life; exit 5", flags=("--name", "one", "--restart", "always"))
    waiting = begin(case, "wait", "one")
    until(lambda: mbuild(case, "logs", "one").count("life") > 2, "three lives")
    expect_equal(waiting.poll(), None, "it is not at its end")
    until(lambda: rows(case)[0]["State"] == "restarting", "a pause")
    expect_equal(mbuild(case, "kill", "one"), "one")
    expect_equal(outcome(waiting), (0, "5"))
    expect_equal(rows(case), [])
    expect(rows(case, "-a")[0]["Status"].startswith("Exited (5)"))


def test_killed_processes_are_told_of(case):
    container = start(case, flags=("--name", "one"))
    waiting = begin(case, "wait", "one")
    time.sleep(0.2)
    os.kill(case.processes_named("internal-container\0" + case.root)[0], signal.SIGKILL)
    expect_equal(outcome(waiting), (0, "137"))
    mbuild(case, "start", "one")
    waiting = begin(case, "wait", container)
    time.sleep(0.2)
    mbuild(case, "restart", "one")
    expect_equal(outcome(waiting), (0, "3"))
