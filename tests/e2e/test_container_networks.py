"""Containers that reach each other by name."""
import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.request

from support import FOREIGN, HANG, Skip, expect, expect_equal, quick
from test_container_faults import expect_nothing_left
from test_containers import image, mbuild, rows, start, until

IDLE = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done")


def served(text, port=80):
    return ("sh", "-c", "trap 'exit 0' TERM; mkdir /www && echo %s > /www/index.html && httpd -p %d -h /www; "
            "while :; do sleep 0.1; done" % (text, port))


def network(case, *words):
    return case.check(case.mbuild, "network", words[0], "--root", case.root, *words[1:]).strip()


def make(case, *names, flags=()):
    for name in names:
        network(case, "create", *flags, name)


def member(case, of, name, *words, flags=()):
    return start(case, *(words or IDLE), flags=("--name", name, "--network", of, *flags))


def fetched(case, source, host, port=80):
    """What a container gets from another one; "" when it gets nothing."""
    done = case.run([case.mbuild, "exec", "--root", case.root, source, "timeout", "5", "wget", "-q", "-O", "-",
                     "http://%s:%d/" % (host, port)])
    return done.text.strip() if done.status == 0 else ""


def reaches(case, source, host, text, port=80):
    until(lambda: fetched(case, source, host, port) == text, "%s reaches %s" % (source, host))


def hosts(case, name):
    return mbuild(case, "exec", name, "cat", "/etc/hosts")


def address(case, name, of):
    settings = json.loads(mbuild(case, "inspect", name))[0]["NetworkSettings"]["Networks"]
    return settings[of]["IPAddress"]


def holders(case):
    return case.processes_named("internal-network\0" + case.root)


@quick
def test_names(case):
    make(case, "n1")
    web = member(case, "n1", "web", *served("here"), flags=("--network-alias", "www", "--hostname", "box"))
    member(case, "n1", "client")
    for host in ("web", "www", "box", web[:12], address(case, "web", "n1")):
        reaches(case, "client", host, "here")
    reaches(case, "web", "web", "here")
    expect_equal(len(holders(case)), 1)
    mbuild(case, "stop", "web")
    until(lambda: "web" not in hosts(case, "client"), "the name goes")
    mbuild(case, "start", "web")
    until(lambda: "web" in hosts(case, "client"), "the name comes back")
    mbuild(case, "rename", "web", "shop")
    until(lambda: "shop" in hosts(case, "client"), "the new name")
    expect("web" not in hosts(case, "client"))
    mbuild(case, "rm", "-f", "shop", "client")
    until(lambda: not holders(case), "the holder ends with the last")


@quick
def test_the_command(case):
    root = ("--root", case.root)
    case.fails_to_run([case.mbuild, "run", "--network", "n1", *root, image(case), "true"], "no such network: n1",
                      "mbuild network create n1", status=125)
    made = network(case, "create", "--label", "a=b", "--subnet", "10.9.8.0/24", "n1")
    case.fails_to_run([case.mbuild, "network", "create", *root, "n1"], "the network n1 is there already")
    case.fails_to_run([case.mbuild, "network", "create", *root, "host"], "no name for a network")
    case.fails_to_run([case.mbuild, "network", "create", *root, "--subnet", "10.9.8.128/25", "n2"], "overlaps")
    case.fails_to_run([case.mbuild, "network", "create", *root, "--subnet", "10.9.8.1/24", "n2"], "invalid subnet")
    case.fails_to_run([case.mbuild, "network", "create", *root, "-d", "overlay", "n2"], "no network driver")
    case.fails_to_run([case.mbuild, "network", "connect", *root, "n1", "x"], "from its start to its end")
    case.fails_to_run([case.mbuild, "run", "--network-alias", "x", *root, image(case), "true"], "have a name", status=125)
    expect_equal(network(case, "ls", "--format", "{{.Name}} {{.Driver}}"), "n1 bridge")
    expect_equal(network(case, "ls", "-q"), made[:12])
    container = member(case, made[:6], "one")
    about = json.loads(network(case, "inspect", "n1"))[0]
    expect_equal((about["Id"], about["IPAM"]["Config"][0]["Subnet"], about["Labels"]), (made, "10.9.8.0/24", {"a": "b"}))
    expect_equal(about["Containers"][container]["IPv4Address"], address(case, "one", "n1") + "/24")
    expect_equal(mbuild(case, "inspect", "-f", "{{.HostConfig.NetworkMode}}", "one"), "n1")
    case.fails_to_run([case.mbuild, "network", "rm", *root, "n1"], "the container one runs in the network n1", status=1)
    expect_equal(network(case, "prune", "-f"), "")
    mbuild(case, "rm", "-f", "one")
    make(case, "n2")
    expect_equal(network(case, "rm", "n1"), "n1")
    expect_equal(network(case, "prune", "-f"), "n2")
    case.fails_to_run([case.mbuild, "network", "inspect", *root, "n2"], "no such network: n2", status=1)


@quick
def test_two_networks_are_apart(case):
    make(case, "n1", "n2")
    member(case, "n1", "web", *served("here"))
    member(case, "n1", "near")
    member(case, "n2", "far")
    reaches(case, "near", "web", "here")
    expect("web" not in hosts(case, "far"))
    expect_equal(fetched(case, "far", address(case, "web", "n1")), "")
    outside = start(case, *IDLE, flags=("--name", "outside"))
    expect_equal(fetched(case, outside, address(case, "web", "n1")), "")


def test_a_network_without_a_way_out(case):
    make(case, "closed", flags=("--internal",))
    member(case, "closed", "web", *served("here"))
    member(case, "closed", "client")
    reaches(case, "client", "web", "here")
    routes = mbuild(case, "exec", "client", "cat", "/proc/net/route").split("\n")[1:]
    expect(all(line.split()[0] == "net0" for line in routes), routes)
    case.fails_to_run([case.mbuild, "run", "--root", case.root, "--network", "closed", "-p", "80", image(case), "true"],
                      "is internal", status=125)


def test_published_ports_and_names(case):
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise Skip("/dev/net/tun can't be opened")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    make(case, "n1")
    member(case, "n1", "web", *served("here"), flags=("-p", "127.0.0.1:%d:80" % port))
    member(case, "n1", "client")

    def published():
        try:
            return urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=5).read() == b"here\n"
        except OSError:
            return False
    until(published, "an answer by the host's port")
    reaches(case, "client", "web", "here")


def test_udp(case):
    make(case, "n1")
    member(case, "n1", "one")
    member(case, "n1", "two")

    def arrived():
        # Nobody listens: that a datagram came is counted all the same.
        case.run([case.mbuild, "exec", "--root", case.root, "two", "timeout", "2", "tftp", "-g", "-r", "x", "-l",
                  "/tmp/x", "one"])
        lines = [line.split() for line in mbuild(case, "exec", "one", "cat", "/proc/net/snmp").split("\n")
                 if line.startswith("Udp:")]
        return int(dict(zip(*lines))["NoPorts"]) > 0
    until(arrived, "a datagram")


def test_emulated(case):
    make(case, "n1")
    member(case, "n1", "web", *served("emulated"), flags=("--platform", FOREIGN))
    member(case, "n1", "own", *served("native"))
    member(case, "n1", "client", flags=("--platform", FOREIGN))
    reaches(case, "own", "web", "emulated")
    reaches(case, "client", "web", "emulated")
    reaches(case, "client", "own", "native")


@quick
def test_the_network_of_another_container(case):
    root = ("--root", case.root)
    make(case, "n1")
    member(case, "n1", "web", *served("here"))
    member(case, "n1", "other", *served("there"))
    start(case, *IDLE, flags=("--name", "beside", "--network", "container:web"))
    reaches(case, "beside", "127.0.0.1", "here")
    reaches(case, "beside", "other", "there")
    if os.access("/dev/net/tun", os.R_OK | os.W_OK):  # else its network is the host's, where port 80 is not its to have
        start(case, *served("default"), flags=("--name", "plain",))
        start(case, *IDLE, flags=("--name", "beside-plain", "--network", "container:plain"))
        reaches(case, "beside-plain", "127.0.0.1", "default")
    start(case, *served("alone", 8080), flags=("--name", "alone", "--network", "none"))
    start(case, *IDLE, flags=("--name", "beside-alone", "--network", "container:alone"))
    reaches(case, "beside-alone", "127.0.0.1", "alone", 8080)
    case.fails_to_run([case.mbuild, "run", *root, "--network", "container:web", "-p", "80", image(case), "true"],
                      "by the container whose network", status=125)
    mbuild(case, "stop", "web")
    case.fails_to_run([case.mbuild, "run", *root, "--network", "container:web", image(case), "true"],
                      "does not run", "mbuild start web", status=125)


@quick
def test_killed_processes(case):
    make(case, "n1")
    member(case, "n1", "web", *served("here"))
    member(case, "n1", "client")
    gone = member(case, "n1", "gone")
    reaches(case, "client", "web", "here")
    for pid in case.processes_named("internal-container\0%s\0%s" % (case.root, gone)):
        os.kill(pid, signal.SIGKILL)
    until(lambda: "gone" not in hosts(case, "client"), "the name of who was killed goes")
    first = holders(case)
    expect_equal(len(first), 1)
    os.kill(first[0], signal.SIGKILL)
    until(lambda: holders(case) and holders(case) != first, "another holder")
    member(case, "n1", "late", *served("late"))
    reaches(case, "client", "web", "here")
    reaches(case, "client", "late", "late")
    reaches(case, "late", "web", "here")
    expect_equal(len({address(case, name, "n1") for name in ("web", "client", "late")}), 3)
    mbuild(case, "rm", "-f", "web", "client", "late", "gone")
    until(lambda: not holders(case), "the holder ends with the last")
    expect_nothing_left(case)


def test_many_at_once(case):
    make(case, "n1")
    count = 12
    starting = [subprocess.Popen([case.mbuild, "run", "-d", "--root", case.root, "--name", "m%d" % i, "--network", "n1",
                                  image(case), *served("m%d" % i)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 text=True) for i in range(count)]
    case.processes += starting
    case.at_end(lambda: case.run([case.mbuild, "rm", "-f", "--root", case.root, *[row["ID"] for row in rows(case, "-a")]]))
    said = [process.communicate(timeout=HANG)[0].strip() for process in starting]
    expect(all(process.returncode == 0 for process in starting), said)
    expect_equal(len(holders(case)), 1)
    until(lambda: all("m%d" % i in hosts(case, "m0") for i in range(count)), "all names")
    for i in range(count):
        reaches(case, "m%d" % ((i + 1) % count), "m%d" % i, "m%d" % i)
    mbuild(case, "rm", "-f", *said)
    until(lambda: not holders(case), "the holder ends with the last")
    expect_nothing_left(case)


def test_holders_killed_at_any_point(case):
    """Whatever is killed, who is left reaches the others by name."""
    make(case, "n1")
    member(case, "n1", "web", *served("here"))
    choice = random.Random(5)
    for i in range(int(os.environ.get("MBUILD_TEST_ROUNDS", "8"))):
        name = "c%d" % i
        starting = subprocess.Popen([case.mbuild, "run", "-d", "--root", case.root, "--name", name, "--network", "n1",
                                     image(case), *served(name)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        case.processes.append(starting)
        case.at_end(lambda name=name: case.run([case.mbuild, "rm", "-f", "--root", case.root, name]))
        time.sleep(choice.random() * 0.1)
        for pid in holders(case):
            os.kill(pid, signal.SIGKILL)
        said = starting.communicate(timeout=HANG)[0]
        expect_equal(starting.returncode, 0, said)
        reaches(case, name, "web", "here")
        reaches(case, "web", name, name)
        mbuild(case, "rm", "-f", name)
    mbuild(case, "rm", "-f", "web")
    expect_nothing_left(case)


def test_hosts_that_lack_something(case):
    def said(disabled, *words):
        return case.run([case.mbuild, *words], env={"MBUILD_TEST_DISABLE": disabled})
    make(case, "n1")
    refused = said("bridge", "run", "--rm", "--root", case.root, "--network", "n1", image(case), "true")
    expect_equal(refused.status, 125, refused.text)
    expect("modprobe bridge" in refused.text, refused.text)
    member(case, "n1", "web", *served("here"))
    alone = said("pasta,slirp4netns", "run", "--rm", "--root", case.root, "--network", "n1", image(case), "sh", "-c",
                 "until wget -q -O - http://web/; do sleep 0.1; done")
    expect("here" in alone.text and "nothing outside" in alone.text, alone.text)
    one = said("userns-ranges", "network", "create", "--root", case.root, "n1")
    expect_equal(one.status, 0, one.text)
    named = said("userns-ranges", "run", "--rm", "--root", case.root, "--name", "one", "--network", "n1", image(case),
                 "grep", "-w", "one", "/etc/hosts")
    expect_equal(named.status, 0, named.text)
