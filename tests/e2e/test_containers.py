"""Containers in the background, and what is done to those that run."""
import json
import os
import pty
import signal
import socket
import subprocess
import time
import urllib.request

from support import FOREIGN, HANG, MACHINE, expect, expect_equal, quick, rest_of_terminal

SLEEPER = ("sh", "-c", "trap 'echo ended; exit 3' TERM; echo ready; while :; do sleep 0.1; done")


def mbuild(case, *words):
    return case.check(case.mbuild, words[0], "--root", case.root, *words[1:]).strip()


def image(case):
    return "oci-layout:%s:busybox" % case.bases


def start(case, *words, flags=()):
    """The id of a container in the background, which is gone when the test ends."""
    container = mbuild(case, "run", "-d", *flags, image(case), *(words or SLEEPER))
    case.at_end(lambda: case.run([case.mbuild, "rm", "-f", "--root", case.root, container]))
    return container


def rows(case, *flags):
    text = mbuild(case, "ps", "--format", "json", *flags)
    return [json.loads(line) for line in text.split("\n") if line]


def until(condition, what):
    for _ in range(HANG * 10):
        if condition():
            return
        time.sleep(0.1)
    expect(False, "never:", what)


@quick
def test_life_of_one(case):
    container = start(case, flags=("--name", "one"))
    expect_equal(len(container), 64)
    row = rows(case)[0]
    expect_equal((row["ID"], row["Names"], row["State"]), (container[:12], "one", "running"))
    until(lambda: "ready" in mbuild(case, "logs", "one"), "a log")
    expect_equal(mbuild(case, "exec", "one", "cat", "/proc/1/comm"), "sh")
    expect_equal(mbuild(case, "stop", "one"), "one")
    expect_equal(rows(case), [])
    expect(rows(case, "-a")[0]["Status"].startswith("Exited (3) "))
    expect_equal(mbuild(case, "wait", container[:6]), "3")
    expect_equal(mbuild(case, "logs", "one").split("\n"), ["ready", "ended"])
    expect_equal(mbuild(case, "logs", "--tail", "1", "one"), "ended")
    mbuild(case, "rm", "one")
    expect_equal(rows(case, "-a"), [])
    case.fails_to_run([case.mbuild, "logs", "one", "--root", case.root], "no such container: one")


@quick
def test_names_and_spellings(case):
    container = start(case, flags=("--name", "one"))
    case.fails_to_run([case.mbuild, "run", "-d", "--name", "one", "--root", case.root, image(case), "true"],
                      "the name one is taken", status=125)
    case.fails_to_run([case.mbuild, "rm", "one", "--root", case.root], "the container one runs", status=1)
    expect_equal(case.check(case.mbuild, "container", "ls", "-q", "--root", case.root).strip(), container[:12])
    expect_equal(mbuild(case, "inspect", "--format", "{{.State.Status}}", "one"), "running")
    expect_equal(json.loads(mbuild(case, "inspect", "one"))[0]["Id"], container)
    expect("trap" in mbuild(case, "top", "one"))
    mbuild(case, "kill", "one")
    expect(rows(case, "-a")[0]["Status"].startswith("Exited (137) "))
    mbuild(case, "rm", "one")
    start(case, flags=("--name", "one"))


@quick
def test_what_is_not_started_leaves_nothing(case):
    expect_equal(case.run([case.mbuild, "run", "-d", "--root", case.root, image(case), "no-such-program"]).status, 127)
    expect_equal(rows(case, "-a"), [])


@quick
def test_containers_of_the_foreground_are_kept_unless_told_otherwise(case):
    case.run([case.mbuild, "run", "--root", case.root, "--name", "kept", image(case), "sh", "-c", "echo x; exit 2"])
    case.check(case.mbuild, "run", "--root", case.root, "--rm", image(case), "true")
    expect_equal([(row["Names"], row["State"]) for row in rows(case, "-a")], [("kept", "exited")])
    expect_equal(mbuild(case, "logs", "kept"), "x")
    case.check(case.mbuild, "container", "prune", "-f", "--root", case.root)
    expect_equal(rows(case, "-a"), [])


@quick
def test_exec(case):
    start(case, flags=("--name", "one", "-e", "A=1", "--hostname", "box", "--cap-drop", "KILL"))
    root = ("--root", case.root)
    expect_equal(mbuild(case, "exec", "-e", "B=2", "one", "sh", "-c", "echo $A $B $(hostname) $(pwd)"), "1 2 box /")
    expect_equal(mbuild(case, "exec", "-u", "12:34", "-w", "/tmp", "one", "sh", "-c", "id -u; id -g; pwd"), "12\n34\n/tmp")
    echoed = subprocess.run([case.mbuild, "exec", "-i", *root, "one", "cat"], input=b"input", capture_output=True,
                            timeout=HANG)
    expect_equal(echoed.stdout, b"input")
    expect_equal(case.run([case.mbuild, "exec", *root, "one", "sh", "-c", "exit 9"]).status, 9)
    expect_equal(case.run([case.mbuild, "exec", *root, "one", "no-such-program"]).status, 127)
    held = [mbuild(case, "exec", "one", "grep", "CapEff", "/proc/%s/status" % who) for who in ("1", "self")]
    expect_equal(held[0], held[1], "the same capabilities")
    seccomp = [mbuild(case, "exec", "one", "grep", "Seccomp:", "/proc/%s/status" % who) for who in ("1", "self")]
    expect_equal(seccomp[0], seccomp[1])
    mbuild(case, "stop", "one")
    case.fails_to_run([case.mbuild, "exec", *root, "one", "true"], "does not run", status=1)


def test_exec_on_a_terminal(case):
    start(case, flags=("--name", "one"))
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(case.mbuild, [case.mbuild, "exec", "-it", "--root", case.root, "one", "sh", "-c", "tty; exit 4"])
    text = rest_of_terminal(terminal)
    expect_equal((text, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])), (b"/dev/pts/0\r\n", 4))


def test_follow(case):
    container = start(case, "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done; echo e >&2; printf open")
    followed = subprocess.run([case.mbuild, "logs", "-f", "--root", case.root, container], capture_output=True,
                              timeout=HANG)
    expect_equal((followed.stdout, followed.stderr), (b"1\n2\n3\nopen", b"e\n"))


def test_other_platform(case):
    container = start(case, "sh", "-c", "uname -m; while :; do sleep 0.1; done", flags=("--platform", FOREIGN))
    until(lambda: MACHINE[FOREIGN] in mbuild(case, "logs", container), "a log")
    expect_equal(mbuild(case, "exec", container, "uname", "-m"), MACHINE[FOREIGN])


@quick
def test_killed_processes_leave_nothing_that_is_misstated(case):
    container = start(case)
    supervisor = case.processes_named("internal-container\0" + case.root)
    expect_equal(len(supervisor), 1)
    inside = json.loads(mbuild(case, "inspect", container))[0]["State"]["Pid"]
    os.kill(supervisor[0], signal.SIGKILL)
    until(lambda: not os.path.exists("/proc/%d" % inside), "the end of the program")
    until(lambda: rows(case) == [], "no container runs")
    expect_equal(rows(case, "-a")[0]["State"], "dead")
    case.fails_to_run([case.mbuild, "kill", container, "--root", case.root], "does not run", status=1)
    mbuild(case, "rm", container)
    expect_equal(rows(case, "-a"), [])


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def has_pasta(case):
    case.needs("pasta")
    text = case.run([case.mbuild, "doctor", "--root", case.root]).text
    return "by pasta" in text


def test_ports(case):
    if not has_pasta(case):
        return
    port = free_port()
    serve = ("sh", "-c", "mkdir /www; echo served > /www/index.html; while :; do printf "
             "'HTTP/1.0 200 OK\\r\\nContent-Length: 7\\r\\n\\r\\nserved\\n' | nc -l -p 80; done")
    start(case, *serve, flags=("--name", "web", "-p", "127.0.0.1:%d:80" % port))
    expect_equal(mbuild(case, "port", "web"), "80/tcp -> 127.0.0.1:%d" % port)
    expect("127.0.0.1:%d->80/tcp" % port in rows(case)[0]["Ports"])

    def served():
        try:
            return urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=5).read() == b"served\n"
        except OSError:
            return False
    until(served, "an answer")
    case.fails_to_run([case.mbuild, "run", "--rm", "--root", case.root, "-p", "127.0.0.1:%d:80" % port, image(case),
                       "true"], "Address already in use", "the container web publishes", status=125)
    mbuild(case, "rm", "-f", "web")
    with socket.create_server(("127.0.0.1", port)):
        pass


@quick
def test_a_volume_gets_what_the_image_has(case):
    case.dockerfile("FROM busybox", "RUN mkdir -p /data/sub && echo text > /data/sub/file && chown -R 7:8 /data/sub &&"
                    " ln -s sub /data/link && chown 5:6 /data && chmod 1750 /data")
    case.check(*case.command("-t", "filled"))

    def run(*words, flags):
        return mbuild(case, "run", "--rm", *flags, "filled", *words)
    shown = "stat -c '%u:%g %a' /data; stat -c '%u:%g' /data/link/file; cat /data/link/file"
    expect_equal(run("sh", "-c", shown, flags=("-v", "new:/data")), "5:6 1750\n7:8\ntext")
    run("rm", "/data/sub/file", flags=("-v", "new:/data"))
    expect_equal(run("ls", "/data/sub", flags=("-v", "new:/data")), "")
    expect_equal(run("sh", "-c", shown, flags=("-v", "read:/data:ro")), "5:6 1750\n7:8\ntext")
    case.check(case.mbuild, "volume", "create", "made", "--root", case.root)
    expect_equal(run("cat", "/data/sub/file", flags=("-v", "made:/data")), "text")
    expect_equal(run("ls", "/none", flags=("-v", "other:/none")), "")
    directory = case.new_directory("host")
    expect_equal(run("ls", "/data", flags=("-v", directory + ":/data")), "")


def test_volumes(case):
    def run(*words, flags=()):
        return mbuild(case, "run", "--rm", *flags, image(case), *words)
    run("sh", "-c", "echo kept > /data/file", flags=("-v", "shared:/data"))
    expect_equal(run("cat", "/other/file", flags=("--mount", "type=volume,src=shared,dst=/other")), "kept")
    refused = case.run([case.mbuild, "run", "--rm", "--root", case.root, "-v", "shared:/data:ro", image(case), "touch",
                        "/data/x"])
    expect_equal(refused.status, 1)
    root = ("--root", case.root)
    expect_equal(case.check(case.mbuild, "volume", "ls", "-q", *root).strip(), "shared")
    case.check(case.mbuild, "volume", "create", "empty", *root)
    start(case, flags=("--name", "one", "-v", "shared:/data"))
    expect_equal(mbuild(case, "exec", "one", "cat", "/data/file"), "kept")
    case.fails_to_run([case.mbuild, "volume", "rm", "shared", *root], "the container one has the volume shared",
                      status=1)
    expect_equal(case.check(case.mbuild, "volume", "prune", "-a", "-f", *root).strip(), "empty")
    case.check(case.mbuild, "prune", "-a", "-f", *root)
    expect_equal(mbuild(case, "exec", "one", "cat", "/data/file"), "kept")
    mbuild(case, "rm", "-f", "one")
    case.check(case.mbuild, "prune", "-a", "-f", *root)
    expect_equal(run("cat", "/data/file", flags=("-v", "shared:/data")), "kept")
    case.check(case.mbuild, "volume", "rm", "shared", *root)
    expect_equal(case.check(case.mbuild, "volume", "ls", "-q", *root).strip(), "")
    case.fails_to_run([case.mbuild, "volume", "rm", "shared", *root], "no such volume: shared", status=1)
