"""What a container has made: copied out and in, kept as an image, and there when it is started again."""
import io
import json
import os
import select
import subprocess
import tarfile
import threading

from support import FOREIGN, HANG, expect, expect_equal, quick
from test_containers import image, mbuild, rows, start, until


def made(case, name, script, *flags):
    """A container that has ended."""
    case.run([case.mbuild, "run", "--root", case.root, "--name", name, *flags, image(case), "sh", "-c", script])


def text_of(path):
    with open(path) as f:
        return f.read()


def check_copies(case, name):
    """The same rules for one that runs and one that does not; it has /d/one ("1"), /d/sub/two ("2"), /d/link -> one."""
    there = os.path.join(case.dir, name)
    os.mkdir(there)
    at = lambda *words: os.path.join(there, *words)
    mbuild(case, "cp", name + ":/d/one", at("file"))
    expect_equal(text_of(at("file")), "1\n")
    mbuild(case, "cp", name + ":/d", at("new"))
    expect_equal(sorted(os.listdir(at("new"))), ["link", "one", "sub"])
    expect_equal(os.readlink(at("new", "link")), "one")
    mbuild(case, "cp", name + ":/d", at("new"))
    expect_equal(text_of(at("new", "d", "sub", "two")), "2\n")
    mbuild(case, "cp", name + ":d/sub/.", there)
    expect_equal(text_of(at("two")), "2\n")
    case.fails_to_run([case.mbuild, "cp", "--root", case.root, name + ":/d/one", at("none") + "/"], "no such directory")
    case.fails_to_run([case.mbuild, "cp", "--root", case.root, name + ":/none", there], "no such file or directory")
    case.fails_to_run([case.mbuild, "cp", "--root", case.root, name + ":/d", at("file")], "can't be copied to the file")
    tar = subprocess.run([case.mbuild, "cp", "--root", case.root, name + ":/d/sub", "-"], capture_output=True,
                         timeout=HANG, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        expect_equal(archive.getnames(), ["sub", "sub/two"])
    # What is there is not removed for what has the same name.
    os.makedirs(at("kept", "one", "own"))
    case.fails_to_run([case.mbuild, "cp", "--root", case.root, name + ":/d/one", at("kept")], "can't replace")
    with open(at("kept", "sub"), "w") as f:
        f.write("own\n")
    case.fails_to_run([case.mbuild, "cp", "--root", case.root, name + ":/d/.", at("kept")], "can't replace")
    expect_equal((os.listdir(at("kept", "one")), text_of(at("kept", "sub"))), (["own"], "own\n"))
    # and in
    case.fails_to_run([case.mbuild, "cp", "--root", case.root, at("kept", "sub"), name + ":/d"], "can't replace")
    with open(at("in"), "w") as f:
        f.write("in\n")
    os.chmod(at("in"), 0o640)
    mbuild(case, "cp", at("in"), name + ":/d/")
    mbuild(case, "cp", at("new"), name + ":/d/tree")
    mbuild(case, "cp", at("new") + "/.", name + ":/")
    case.fails_to_run([case.mbuild, "cp", "--root", case.root, at("in"), name + ":/none/"], "no such directory")
    loaded = subprocess.run([case.mbuild, "cp", "--root", case.root, "-", name + ":/d"], input=tar, timeout=HANG)
    expect_equal(loaded.returncode, 0)


LOOK = "cat /d/in; stat -c '%a %u' /d/in; cat /d/tree/sub/two /one; readlink /link"
SEEN = "in\n640 0\n2\n1\none"
MAKE = "mkdir -p /d/sub; echo 1 > /d/one; echo 2 > /d/sub/two; ln -s one /d/link; "


@quick
def test_copies_of_one_that_runs(case):
    start(case, "sh", "-c", MAKE + "echo ready; while :; do sleep 0.1; done", flags=("--name", "one"))
    until(lambda: "ready" in mbuild(case, "logs", "one"), "a log")
    check_copies(case, "one")
    expect_equal(mbuild(case, "exec", "one", "sh", "-c", LOOK), SEEN)
    # A link in the container leads nowhere else.
    mbuild(case, "exec", "one", "ln", "-s", "/etc/passwd", "/out")
    mbuild(case, "exec", "one", "sh", "-c", "echo own > /etc/passwd")
    mbuild(case, "cp", "-L", "one:/out", os.path.join(case.dir, "followed"))
    expect_equal(text_of(os.path.join(case.dir, "followed")), "own\n")


@quick
def test_copies_of_one_that_has_ended_and_its_second_start(case):
    made(case, "one", "if [ -e /d/in ]; then %s; else %s true; fi; exit 7" % (LOOK, MAKE))
    check_copies(case, "one")
    again = case.run([case.mbuild, "start", "-a", "--root", case.root, "one"])
    expect_equal((again.text.strip(), again.status), (SEEN, 7))


@quick
def test_start_and_restart(case):
    start(case, "sh", "-c", "echo begun >> /log; cat /log; while :; do sleep 0.1; done", flags=("--name", "one"))
    until(lambda: mbuild(case, "logs", "one") == "begun", "a log")
    mbuild(case, "stop", "-t", "0", "one")
    expect_equal(rows(case), [])
    # What a stopped container stands on stays, whatever is collected.
    case.check(case.mbuild, "prune", "-f", "--root", case.root)
    mbuild(case, "start", "one")
    until(lambda: mbuild(case, "logs", "one").count("begun") == 3, "the log of both lives")
    expect_equal(rows(case)[0]["Names"], "one")
    mbuild(case, "restart", "-t", "0", "one")
    until(lambda: mbuild(case, "logs", "one").count("begun") == 6, "the log of three lives")
    mbuild(case, "rename", "one", "other")
    expect_equal(rows(case)[0]["Names"], "other")
    case.fails_to_run([case.mbuild, "stop", "--root", case.root, "one"], "no such container: one", status=1)
    mbuild(case, "rm", "-f", "other")
    expect_equal(rows(case, "-a"), [])
    start(case, flags=("--name", "other"))


@quick
def test_commit(case):
    made(case, "one", "echo made > /made; rm /bin/ls", "-e", "A=1")
    before = case.check(case.mbuild, "diff", "--root", case.root, "one").split("\n")
    expect("A /made" in before and "D /bin/ls" in before and "C /bin" in before, before)
    expect(not [line for line in before if line.startswith("A /proc")], before)
    mbuild(case, "commit", "-m", "a message", "-a", "somebody", "one", "kept:1")
    ran = case.run([case.mbuild, "run", "--rm", "--root", case.root, "--pull", "never", "kept:1", "sh", "-c",
                    "cat /made; echo $A; test -e /bin/ls"])
    expect_equal((ran.text, ran.status), ("made\n1\n", 1))
    shown = json.loads(case.check(case.mbuild, "image", "inspect", "--root", case.root, "kept:1"))[0]
    expect_equal((len(shown["RootFS"]["Layers"]), shown["Config"]["Cmd"][0]), (2, "sh"))
    case.dockerfile("FROM kept:1", "RUN cat /made > /again")
    expect_equal(case.build("--platform", shown["Os"] + "/" + shown["Architecture"]).file("again"), "made")
    start(case, flags=("--name", "live"))
    mbuild(case, "exec", "live", "sh", "-c", "echo live > /live")
    mbuild(case, "commit", "live", "kept:2")
    expect_equal(case.check(case.mbuild, "run", "--rm", "--root", case.root, "kept:2", "cat", "/live"), "live\n")
    expect_equal(mbuild(case, "exec", "live", "echo", "goes on"), "goes on")


def test_commit_with_changes(case):
    made(case, "one", "echo made > /made", "-e", "A=1")
    mbuild(case, "commit", "-c", 'CMD ["cat", "/made"]', "-c", "ENV B=$A:2 C=3", "--change", "USER 7:8", "-c",
           "WORKDIR /usr", "-c", "LABEL a=b", "-c", "EXPOSE 80", "one", "kept:1")
    config = json.loads(case.check(case.mbuild, "image", "inspect", "--root", case.root, "kept:1"))[0]["Config"]
    expect_equal((config["Cmd"], config["User"], config["WorkingDir"], config["Labels"], list(config["ExposedPorts"])),
                 (["cat", "/made"], "7:8", "/usr", {"a": "b"}, ["80/tcp"]))
    expect("B=1:2" in config["Env"] and "C=3" in config["Env"] and "A=1" in config["Env"], config["Env"])
    expect_equal(mbuild(case, "run", "--rm", "--pull", "never", "kept:1"), "made")
    for change in ("RUN true", "CMD x\nRUN y", "FROM x", ""):
        case.fails_to_run([case.mbuild, "commit", "--root", case.root, "-c", change, "one", "kept:2"],
                          "invalid --change", "CMD, ENTRYPOINT")


def states(case, container):
    """What the processes of a container do, as /proc has it."""
    lines = mbuild(case, "top", container).split("\n")[1:]
    numbers = [line.split()[1] for line in lines if "internal-inner" not in line]  # who holds them is among them
    found = []
    for number in numbers:
        try:
            with open("/proc/%s/stat" % number) as f:
                found.append(f.read().rsplit(")", 1)[1].split()[0])
                if found[-1] == "Z":  # it had ended before; nobody waits for it while its parent stands still
                    found.pop()
        except OSError:  # it has ended since it was listed
            pass
    return found


def test_what_commit_holds_still_goes_on_when_it_is_killed(case):
    start(case, "sh", "-c", "sleep 1000 & while :; do sleep 0.1; done", flags=("--name", "one"))
    mbuild(case, "exec", "one", "sh", "-c", "dd if=/dev/urandom of=/large bs=1M count=64 2>/dev/null")
    commit = subprocess.Popen([case.mbuild, "commit", "--root", case.root, "one", "kept:1"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen = False
    while commit.poll() is None and not seen:
        seen = set(states(case, "one")) == {"T"}
    expect(seen, "all stand still while it reads")
    commit.kill()
    commit.wait()
    until(lambda: "T" not in states(case, "one"), "they go on")


def test_copy_of_the_whole_root(case):
    start(case, flags=("--name", "one"))
    there = case.new_directory("root")
    mbuild(case, "cp", "one:/", there)
    names = os.listdir(there)
    expect("bin" in names and "etc" in names, names)
    for name in ("proc", "sys", "dev"):
        expect(name not in names or not os.listdir(os.path.join(there, name)), name, "has something in it")
    expect(mbuild(case, "exec", "one", "cat", "/proc/1/comm") == "sh", "the container has its own still")


def test_other_platform_started_again(case):
    made(case, "one", "uname -m; echo x >> /x; cat /x", "--platform", FOREIGN)
    again = case.check(case.mbuild, "start", "-a", "--root", case.root, "one").split()
    expect_equal(again[1:], ["x", "x"])
    mbuild(case, "cp", "one:/x", os.path.join(case.dir, "x"))
    expect_equal(text_of(os.path.join(case.dir, "x")), "x\nx\n")


@quick
def test_stats(case):
    start(case, flags=("--name", "one"))
    row = json.loads(mbuild(case, "stats", "--no-stream", "--format", "json", "one"))
    expect_equal(row["Name"], "one")
    expect(int(row["PIDs"]) >= 1 and row["CPUPerc"].endswith("%"), row)


def test_no_setuid_file_comes_to_the_host(case):
    made(case, "one", "echo '#!/bin/sh' > /tool; chmod 6755 /tool")
    mbuild(case, "cp", "one:/tool", case.dir)
    expect_equal(os.stat(os.path.join(case.dir, "tool")).st_mode & 0o7777, 0o755)


def test_much_goes_through_a_container_and_back(case):
    """What is typed fills the pipe before what is written is read."""
    start(case, "cat", flags=("-i", "--name", "one"))
    sent = os.urandom(3_000_000)
    process = subprocess.Popen([case.mbuild, "attach", "--root", case.root, "one"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    case.processes.append(process)
    writer = threading.Thread(target=lambda: (process.stdin.write(sent), process.stdin.flush()))
    writer.start()
    got = b""
    while len(got) < len(sent) and select.select([process.stdout], [], [], HANG)[0]:
        got += os.read(process.stdout.fileno(), 1 << 16)
    expect(got == sent, len(got), "of", len(sent), "bytes")
    writer.join()


def test_restart_of_one_that_would_go(case):
    start(case, "sh", "-c", "echo life >> /lives; exec sleep 1000", flags=("--rm", "--name", "one"))
    mbuild(case, "restart", "-t", "0", "one")
    until(lambda: mbuild(case, "exec", "one", "cat", "/lives") == "life\nlife", "its second life")
    mbuild(case, "stop", "-t", "0", "one")
    until(lambda: rows(case, "-a") == [], "it has gone")
