"""What commands on containers, volumes and images take, and what they say of what is not there."""
import bz2
import gzip
import json
import lzma
import os
import pty
import shutil
import subprocess

from support import HANG, expect, expect_equal, quick, rest_of_terminal
from test_container_lives import begin, outcome
from test_containers import free_port, has_pasta, image, mbuild, rows, start
from test_images import keep, listed, printed


def run(case, *words):
    return case.run([case.mbuild, *words, "--root", case.root])


def checked(case, *words):
    return case.check(case.mbuild, *words, "--root", case.root)


def answered(case, answer, *words):
    """A command on a terminal where somebody types."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(case.mbuild, [case.mbuild, *words, "--root", case.root])
    os.write(terminal, answer)
    text = rest_of_terminal(terminal).decode()
    expect_equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
    return text


@quick
def test_pruning_asks(case):
    mbuild(case, "run", "--name", "one", image(case), "true")
    case.check(case.mbuild, "network", "create", "net", "--root", case.root)
    case.check(case.mbuild, "volume", "create", "named", "--root", case.root)
    nameless = case.check(case.mbuild, "volume", "create", "--root", case.root).strip()
    for words in (("container", "prune"), ("network", "prune"), ("volume", "prune", "-a"), ("volume", "prune")):
        result = run(case, *words)
        expect_equal(result.status, 0)
        expect("Nothing was removed: there is no terminal to ask" in result.text, result.text)
        expect("Nothing was removed." in answered(case, b"n\n", *words))
    expect_equal([row["Names"] for row in rows(case, "-a")], ["one"])
    text = run(case, "volume", "prune", "-f").text
    expect_equal(set(text.strip().split("\n")), {nameless, "`mbuild volume prune -a` would remove, too: named"})
    expect("named" in answered(case, b"y\n", "volume", "prune", "-a"))
    expect("net" in answered(case, b"y\n", "network", "prune"))
    answered(case, b"y\n", "container", "prune")
    expect_equal(rows(case, "-a"), [])
    for what in ("volume", "network"):
        expect_equal(case.check(case.mbuild, what, "ls", "-q", "--root", case.root).strip(), "")


@quick
def test_pruning_the_system(case):
    mbuild(case, "run", "--name", "over", image(case), "true")
    keep(case, "kept")
    for words in (("network", "create", "net"), ("volume", "create", "named"), ("volume", "create")):
        checked(case, *words)
    expect("Nothing was removed: there is no terminal to ask. `mbuild system prune -a --volumes -f`" in
           run(case, "system", "prune", "-a", "--volumes").text)
    expect("Nothing was removed." in answered(case, b"n\n", "system", "prune"))
    case.fails_to_run([case.mbuild, "system", "prune", "-f", "--filter", "name=x", "--root", case.root],
                      'invalid filter "name=x"')
    expect("Containers:" not in checked(case, "system", "prune", "-f", "--filter", "label=none"))
    checked(case, "system", "prune", "-f", "-a", "--filter", "until=2026-01-31T10:00:00Z")
    expect_equal([row["Names"] for row in rows(case, "-a")], ["over"])
    told = checked(case, "system", "prune", "-f")
    expect("Containers:\n" in told and "Networks:\nnet\n" in told and "Total reclaimed space: " in told, told)
    expect("Volumes:" not in told, told)
    expect_equal(rows(case, "-a"), [])
    expect("kept:latest" in listed(case), listed(case))
    told = checked(case, "system", "prune", "-f", "-a", "--volumes")
    expect("Untagged: kept" in told and "Volumes:\n" in told and "named" not in told, told)
    expect_equal(listed(case), {})
    expect_equal(checked(case, "volume", "ls", "-q").strip(), "named")
    expect("Total:" in checked(case, "system", "df"))


@quick
def test_pruning_by_filters(case):
    mbuild(case, "run", "--name", "mine", "-l", "keep=1", image(case), "true")
    mbuild(case, "run", "--name", "other", image(case), "true")
    case.check(case.mbuild, "network", "create", "--label", "keep", "net", "--root", case.root)
    checked(case, "volume", "create", "--label", "keep=1", "--label", "note", "mine")
    checked(case, "volume", "create", "other")
    expect_equal(checked(case, "volume", "inspect", "-f", "{{json .Labels}}", "mine").strip(), '{"keep":"1","note":""}')
    expect_equal(checked(case, "volume", "inspect", "-f", "{{json .Labels}}", "other").strip(), "null")
    expect_equal(checked(case, "volume", "ls", "-q", "-f", "label=keep=1").strip(), "mine")
    expect_equal(checked(case, "volume", "ls", "--format", "{{.Labels}}", "-f", "name=mine").strip(), "keep=1,note=")
    case.fails_to_run([case.mbuild, "volume", "create", "-d", "nfs", "x", "--root", case.root], "no volume driver nfs")
    for what in ("container", "network", "volume"):
        every = ["-a"] if what == "volume" else []
        checked(case, what, "prune", "-f", *every, "--filter", "until=24h")
        checked(case, what, "prune", "-f", *every, "--filter", "label!=keep")
    expect_equal(checked(case, "volume", "ls", "-q").strip(), "mine")
    expect_equal([row["Names"] for row in rows(case, "-a")], ["mine"])
    expect_equal(checked(case, "network", "ls", "-q").strip() != "", True, "a network")
    case.fails_to_run([case.mbuild, "container", "prune", "-f", "--filter", "name=x", "--root", case.root],
                      'invalid filter "name=x"')
    for what in ("container", "network"):
        checked(case, what, "prune", "-f", "--filter", "label=keep")
    checked(case, "volume", "prune", "-f", "-a", "--filter", "label=keep")
    expect_equal(checked(case, "volume", "ls", "-q").strip(), "")
    expect_equal((rows(case, "-a"), checked(case, "network", "ls", "-q").strip()), ([], ""))


@quick
def test_pruning_images(case):
    keep(case)
    case.dockerfile("FROM busybox", "RUN echo another > /made")
    case.build("-t", "second:1", export=False)
    case.dockerfile("FROM busybox", "RUN echo nameless > /made")
    case.build(export=False)
    mbuild(case, "run", "--name", "one", "app:1", "true")
    expect("Nothing was removed" in run(case, "image", "prune", "-a").text)
    checked(case, "image", "prune", "-f")
    expect_equal(sorted(listed(case)), ["app:1", "second:1"])
    checked(case, "image", "prune", "-a", "-f", "--filter", "label=none")
    expect_equal(sorted(listed(case)), ["app:1", "second:1"])
    expect("Untagged: second:1\n" in checked(case, "image", "prune", "-a", "-f"))
    expect_equal(list(listed(case)), ["app:1"], "an image that a container has")
    checked(case, "rm", "one")
    checked(case, "image", "prune", "-af")
    expect_equal(listed(case), {})


@quick
def test_rmi_of_an_image_with_several_names(case):
    keep(case)
    mbuild(case, "tag", "app:1", "other:2")
    digest = listed(case)["app:1"]["ID"]
    result = run(case, "rmi", "nosuch", digest)
    expect_equal((result.status, len(listed(case))), (1, 2))
    for phrase in ("the store has no image nosuch", "has several names", "app:1", "other:2"):
        expect(phrase in result.text, result.text)
    mbuild(case, "tag", "app:1", "third:3")
    expect_equal(run(case, "rmi", "nosuch", "third:3").status, 1)
    expect_equal(len(listed(case)), 2)
    result = run(case, "rmi", "-f", "nosuch", digest)
    expect_equal((result.status, listed(case)), (0, {}))
    expect("the store has no image nosuch" in result.text, result.text)


@quick
def test_inspect_prints_those_that_are_there(case):
    keep(case)
    start(case, flags=("--name", "one"))

    def inspected(*words):
        done = subprocess.run([case.mbuild, *words, "--root", case.root], capture_output=True, text=True, timeout=HANG)
        expect_equal(done.returncode, 1)
        expect("nosuch" in done.stderr, done.stderr)
        return json.loads(done.stdout)
    expect_equal([one["Name"] for one in inspected("inspect", "nosuch", "one")], ["/one"])
    expect_equal(len(inspected("image", "inspect", "nosuch", "app:1")), 1)
    case.check(case.mbuild, "volume", "create", "named", "--root", case.root)
    expect_equal([one["Name"] for one in inspected("volume", "inspect", "nosuch", "named")], ["named"])


@quick
def test_run_by_digest(case):
    keep(case)
    digest = listed(case)["app:1"]["ID"]
    for word in (digest, digest[7:], digest[7:19], "sha256:" + digest[7:20]):
        expect(case.nonce in printed(case, word), word)
    expect(case.nonce in printed(case, digest, "--pull", "never"))
    mbuild(case, "run", "--name", "one", "app:1", "sh", "-c", "echo more > /more")
    committed = mbuild(case, "commit", "one").split("\n")[-1]
    mbuild(case, "run", "--name", "two", committed, "cat", "/more")
    expect_equal(mbuild(case, "logs", "two"), "more")
    mbuild(case, "start", "-a", "two")
    expect_equal(mbuild(case, "logs", "two"), "more\nmore")


@quick
def test_rm_of_none(case):
    start(case, flags=("--name", "one"))
    result = run(case, "rm", "-f", "-v", "nosuch", "one")
    expect_equal((result.status, rows(case, "-a")), (0, []))
    expect("no such container: nosuch" in result.text, result.text)
    case.fails_to_run([case.mbuild, "rm", "nosuch", "--root", case.root], "no such container: nosuch", status=1)


@quick
def test_load_of_compressed_archives(case):
    keep(case)
    plain = case.dir + "/app.tar"
    mbuild(case, "save", "-o", plain, "app:1")
    with open(plain, "rb") as f:
        content = f.read()
    packed = {"gz": gzip.compress(content), "bz2": bz2.compress(content), "xz": lzma.compress(content)}
    if shutil.which("zstd"):
        packed["zst"] = subprocess.run(["zstd", "-c", plain], capture_output=True, check=True).stdout
    for ending, compressed in packed.items():
        path, root = "%s.%s" % (plain, ending), case.dir + "/" + ending
        with open(path, "wb") as f:
            f.write(compressed)
        expect("app:1" in mbuild(case, "load", "-i", path, "--root", root), ending)
        expect_equal(listed(case, root)["app:1"]["ID"], listed(case)["app:1"]["ID"])
        subprocess.run([case.mbuild, "load", "--root", root + "-piped"], input=compressed, check=True, timeout=HANG,
                       capture_output=True)
        expect_equal(listed(case, root + "-piped")["app:1"]["ID"], listed(case)["app:1"]["ID"])
    case.fails_to_run([case.mbuild, "load", "-i", case.dir, "--root", case.root], "a directory: an archive is a file")
    with open(plain, "wb") as f:
        f.write(packed["gz"][:1000])
    case.fails_to_run([case.mbuild, "load", "-i", plain, "--root", case.root], "ERROR")


def test_one_port(case):
    if not has_pasta(case):
        return
    one, other = free_port(), free_port()
    start(case, flags=("--name", "web", "-p", "127.0.0.1:%d:80" % one, "-p", "127.0.0.1:%d:53/udp" % other))
    expect_equal(mbuild(case, "port", "web", "80/tcp"), "127.0.0.1:%d" % one)
    expect_equal(mbuild(case, "port", "web", "80"), "127.0.0.1:%d" % one)
    expect_equal(mbuild(case, "port", "web", "53/udp"), "127.0.0.1:%d" % other)
    for word in ("99", "53", "80/udp"):
        case.fails_to_run([case.mbuild, "port", "web", word, "--root", case.root], "publishes no port", status=1)


@quick
def test_two_mounts_at_one_place(case):
    for flags in (("-v", "aa:/data", "-v", "bb:/data/"), ("-v", "aa:/data", "--tmpfs", "/data")):
        case.fails_to_run([case.mbuild, "run", "--rm", *flags, "--root", case.root, image(case), "true"],
                          "Duplicate mount point: /data", status=125)


@quick
def test_kill_of_one_that_is_about_to_be_started_again(case):
    for signal in ("KILL", "TERM"):
        start(case, "sh", "-c", "exit 5", flags=("--name", "one", "--restart", "always"))
        waiting = begin(case, "wait", "one")
        while rows(case)[0]["State"] != "restarting":
            pass
        expect_equal(mbuild(case, "kill", "-s", signal, "one"), "one")
        expect_equal(outcome(waiting), (0, "5"))
        mbuild(case, "rm", "one")
