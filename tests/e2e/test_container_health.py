"""Containers that are looked after: health, restarts, limits, and the terminal that is left and found again."""
import json
import os
import pty
import signal
import time

from support import HANG, expect, expect_equal, quick, rest_of_terminal
from test_containers import has_pasta, image, mbuild, rows, start, until


def health(case, name):
    return json.loads(mbuild(case, "inspect", name))[0]["State"]["Health"]


@quick
def test_health(case):
    start(case, flags=("--name", "one", "--health-cmd", "echo looked; test -e /well", "--health-interval", "100ms",
                       "--health-retries", "2"))
    until(lambda: health(case, "one")["Status"] == "unhealthy", "it is unhealthy")
    expect("(unhealthy)" in rows(case)[0]["Status"])
    expect_equal(health(case, "one")["Log"][-1]["Output"], "looked\n")
    mbuild(case, "exec", "one", "touch", "/well")
    until(lambda: health(case, "one")["Status"] == "healthy", "it is healthy")
    expect_equal(health(case, "one")["FailingStreak"], 0)
    expect("(healthy)" in rows(case)[0]["Status"])


@quick
def test_health_of_an_image(case):
    case.dockerfile("FROM busybox", "HEALTHCHECK --interval=100ms --timeout=100ms --retries=1 CMD sleep 1000; true")
    case.check(*case.command("-t", "checked"))
    start_named = lambda name, *flags: (case.at_end(lambda: mbuild(case, "rm", "-f", name)), mbuild(
        case, "run", "-d", "--name", name, *flags, "checked", "sh", "-c", "while :; do sleep 0.1; done"))
    start_named("one")
    until(lambda: health(case, "one")["Status"] == "unhealthy", "a look that takes too long is a failure")
    start_named("two", "--no-healthcheck")
    expect_equal(health(case, "two"), None)


@quick
def test_restarts(case):
    start(case, "sh", "-c", "echo life >> /lives; cat /lives; exit 3",
          flags=("--name", "one", "--restart", "on-failure:2"))
    expect_equal(mbuild(case, "wait", "one"), "3")
    expect_equal(mbuild(case, "logs", "one").count("life"), 1 + 2 + 3)
    start(case, "sh", "-c", "echo life; exit 0", flags=("--name", "two", "--restart", "on-failure"))
    expect_equal(mbuild(case, "wait", "two"), "0")
    expect_equal(mbuild(case, "logs", "two"), "life")
    start(case, "sh", "-c", "echo life; sleep 0.1", flags=("--name", "three", "--restart", "always"))
    until(lambda: mbuild(case, "logs", "three").count("life") > 1, "a second life")
    mbuild(case, "stop", "-t", "0", "three")
    lives = mbuild(case, "logs", "three").count("life")
    expect_equal([row["State"] for row in rows(case, "-a") if row["Names"] == "three"], ["exited"])
    expect_equal(mbuild(case, "logs", "three").count("life"), lives)
    start(case, "sh", "-c", "exit 5", flags=("--name", "four", "--restart", "always"))
    until(lambda: [row["State"] for row in rows(case) if row["Names"] == "four"] == ["restarting"], "a pause")
    until(lambda: any(row["Status"].startswith("Restarting (5) ") for row in rows(case)), "its words")
    case.fails_to_run([case.mbuild, "rm", "--root", case.root, "four"], "the container four runs", status=1)
    mbuild(case, "rm", "-f", "four")
    expect(not [row for row in rows(case, "-a") if row["Names"] == "four"], "removed")
    case.fails_to_run([case.mbuild, "run", "--restart", "always", "--root", case.root, image(case), "true"],
                      "--restart needs -d", status=125)


@quick
def test_limit_of_processes(case):
    text = case.run([case.mbuild, "run", "--rm", "--pids-limit", "5", "--root", case.root, image(case), "sh", "-c",
                     "echo begun; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5 & done; wait; echo all"]).text
    expect("begun" in text and ("all" not in text or "fork" in text), text)


@quick
def test_wrong_words(case):
    for flags, phrase in ((("--restart", "sometimes"), "no such policy"), (("--cpus", "many"), "number of processors"),
                          (("--health-interval", "1"), "duration"), (("--pids-limit", "0"), "from 1 on"),
                          (("-it", "--detach-keys", "ctrl-"), "detach keys")):
        case.fails_to_run([case.mbuild, "run", *flags, "--root", case.root, image(case), "true"], phrase, status=125)


def terminal_of(case, *words):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(case.mbuild, [case.mbuild, words[0], "--root", case.root, *words[1:]])
    return pid, terminal


def read_until(terminal, wanted):
    text = b""
    end = time.monotonic() + HANG
    while wanted not in text and time.monotonic() < end:
        try:
            part = os.read(terminal, 1024)
        except OSError:
            break
        if not part:
            break
        text += part
    expect(wanted in text, "never shown:", wanted, "but", text)
    return text


def status_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@quick
def test_terminal_is_left_and_found_again(case):
    case.at_end(lambda: case.run([case.mbuild, "rm", "-f", "--root", case.root, "one"]))
    pid, terminal = terminal_of(case, "run", "-it", "--name", "one", image(case), "sh")
    os.write(terminal, b"echo so$((1+1))me\n")
    read_until(terminal, b"so2me")
    os.write(terminal, b"\x10\x11")
    read_until(terminal, b"detached")
    expect_equal(status_of(pid), 0)
    os.close(terminal)
    expect_equal(rows(case)[0]["Names"], "one")
    pid, terminal = terminal_of(case, "attach", "--detach-keys", "ctrl-x", "one")
    os.write(terminal, b"echo ag$((2+2))ain\n")
    read_until(terminal, b"ag4ain")
    os.write(terminal, b"\x18")
    read_until(terminal, b"detached")
    expect_equal(status_of(pid), 0)
    os.close(terminal)
    pid, terminal = terminal_of(case, "attach", "one")
    os.write(terminal, b"exit 5\n")
    rest_of_terminal(terminal)
    expect_equal(status_of(pid), 5)
    expect_equal(mbuild(case, "wait", "one"), "5")


@quick
def test_attach_without_a_terminal(case):
    start(case, "sh", "-c", "trap 'echo ended; exit 4' INT; while :; do echo tick; sleep 0.1; done",
          flags=("--name", "one"))
    process = case._start([case.mbuild, "attach", "--root", case.root, "one"], dict(os.environ), case.dir)
    expect_equal(process.stdout.readline(), "tick\n")
    process.send_signal(signal.SIGINT)
    expect("ended" in process.stdout.read())
    expect_equal(process.wait(), 4)


def test_all_exposed_ports(case):
    if not has_pasta(case):
        return
    case.dockerfile("FROM busybox", "EXPOSE 80 90/udp")
    case.check(*case.command("-t", "exposing"))
    case.at_end(lambda: mbuild(case, "rm", "-f", "one"))
    mbuild(case, "run", "-d", "-P", "--name", "one", "exposing", "sh", "-c", "while :; do sleep 0.1; done")
    shown = mbuild(case, "port", "one").split("\n")
    expect_equal(sorted(line.split(" ")[0] for line in shown), ["80/tcp", "90/udp"])
