"""The network of RUN: one of the build's own, from which nothing of the host can be reached. reach.c runs in the steps."""
import ctypes
import os
import re
import shutil
import signal
import socket
import threading
import time
import uuid

from support import HANG, Skip, expect, expect_equal, output_of, quick
from test_containers import until

HERE = os.path.dirname(os.path.abspath(__file__))
NO_PASTA = {"MBUILD_TEST_DISABLE": "pasta"}
NEITHER = {"MBUILD_TEST_DISABLE": "pasta,slirp4netns"}
WARNING = "HostNetwork: RUN uses the host's network, because none of the build's own could be made"


def doctor_row(case, env=None):
    text = case.run([case.mbuild, "doctor", "--root", case.root], env=env).text
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if "a network of a build's own" in line)
    return "\n".join(lines[at:at + 2])


def needs_own_network(case, env=None, by="by pasta"):
    if by not in doctor_row(case, env):
        raise Skip("no network of the build's own here: " + doctor_row(case, env).splitlines()[0])


def reach(case):
    """Has the program in the context."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise Skip("no C compiler")
    case.check(compiler, "-static", "-O1", "-w", "-o", os.path.join(case.context, "reach"), os.path.join(HERE, "reach.c"))


class Listener:
    """Sends a byte to everybody who connects."""

    def __init__(self, case, kind, address):
        self.socket = socket.socket(kind, socket.SOCK_STREAM)
        if kind == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.bind(address)
        self.socket.listen(20)
        self.name = self.socket.getsockname()
        threading.Thread(target=self.serve, daemon=True).start()
        case.at_end(lambda: self.socket.shutdown(socket.SHUT_RDWR))

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
                client.sendall(b"x")
                client.close()
            except OSError:
                return


def host_addresses():
    """All addresses of this host but those of its loopback, link-local ones with their interface."""
    found = []
    for kind, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(kind, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                found.append(probe.getsockname()[0])
        except OSError:
            pass  # no route
    try:
        with open("/proc/net/if_inet6") as f:
            for number, _, _, scope, _, interface in map(str.split, f):
                address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(number))
                if scope == "20":
                    found.append("%s%%%s" % (address, interface))
                elif scope == "00":
                    found.append(address)
    except OSError:
        pass
    return sorted(set(found))


def everything(case):
    """Steps that try to reach all listeners of the test; what each is called."""
    try:
        port = Listener(case, socket.AF_INET6, ("::", 0)).name[1]
    except OSError:
        port = Listener(case, socket.AF_INET, ("0.0.0.0", 0)).name[1]
    name = "mbuild-test-" + uuid.uuid4().hex
    Listener(case, socket.AF_UNIX, "\0" + name)
    reach(case)
    targets = ["127.0.0.1", "::1"] + host_addresses()
    lines = ["(echo -n '%s '; /reach tcp %s %d) >> /result" % (target, target, port) for target in targets]
    # whoever answers for the host's gateway is not the host
    lines += ["for g in 10.0.2.2 $(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'); do"
              " (echo -n \"gateway \"; /reach tcp $g %d) >> /result; done" % port]
    case.dockerfile("FROM busybox", "COPY reach /", *["RUN " + line for line in lines],
                    "RUN (echo -n 'abstract '; /reach abstract %s) >> /result" % name)
    return targets


def reached(build):
    return [line.split()[0] for line in build.file("result").splitlines() if not line.endswith("closed")]


@quick
def test_the_host_is_out_of_reach(case):
    """Its loopback, its other addresses, the address of its gateway, and its abstract sockets."""
    needs_own_network(case)
    targets = everything(case)
    build = case.build()
    expect_equal(reached(build), [])
    expect(len(build.file("result").splitlines()) > len(targets), build.file("result"))
    expect("HostNetwork" not in build.text, build.text)


def test_the_host_is_out_of_reach_of_slirp4netns(case):
    case.needs("slirp4netns")
    needs_own_network(case, NO_PASTA, "by slirp4netns")
    everything(case)
    expect_equal(reached(case.build(env=NO_PASTA)), [])
    expect("switched off" in doctor_row(case, NO_PASTA), doctor_row(case, NO_PASTA))


def test_root_opens_the_tap_device(case):
    """Where the ids of a build may not, which is what "tun" stands for; both programs can be started so."""
    case.needs_root()
    case.needs("nsenter")
    needs_own_network(case)
    everything(case)
    expect("by pasta" in doctor_row(case, {"MBUILD_TEST_DISABLE": "tun"}), "not by pasta")
    expect_equal(reached(case.build(env={"MBUILD_TEST_DISABLE": "tun"})), [])
    ends(case, os_kill, env={"MBUILD_TEST_DISABLE": "tun"})
    if shutil.which("slirp4netns"):
        everything(case)
        env = {"MBUILD_TEST_DISABLE": "tun,pasta"}
        expect("by slirp4netns" in doctor_row(case, env), doctor_row(case, env))
        expect_equal(reached(case.build("--no-cache", env=env)), [])
        ends(case, os_kill, env=env)


def test_no_network_of_its_own(case):
    """Where neither program works the host's is taken, which is said once; its abstract sockets stay closed."""
    targets = everything(case)
    build = case.build(env=NEITHER)
    expect_equal(build.text.count(WARNING), 1, "times that it is said")
    expect("switched off" in build.text, "the reason is not told")
    found = reached(build)
    expect("127.0.0.1" in found, "that was not the host's network:", found)
    if landlock_version() >= 6:
        expect("abstract" not in found, "an abstract socket was reached")
    expect(doctor_row(case, NEITHER).startswith("fallback"), doctor_row(case, NEITHER))
    expect(targets, "nothing was tried")


def landlock_version():
    create_ruleset, ask_version = 444, 1
    return ctypes.CDLL(None).syscall(create_ruleset, None, 0, ask_version)


def test_the_host_network_by_entitlement(case):
    everything(case)
    case.dockerfile("FROM busybox", "COPY reach /", "RUN --network=host /reach tcp 127.0.0.1 %d > /result" % listening(case))
    case.fails(says=["network.host"])
    expect_equal(case.build("--allow", "network.host").file("result"), "open")


def listening(case):
    return Listener(case, socket.AF_INET, ("127.0.0.1", 0)).name[1]


def test_a_proxy_on_the_loopback(case):
    """A step that fails with one is told why; one without is not."""
    needs_own_network(case)
    case.dockerfile("FROM busybox", "RUN false")
    for value in ("http://127.0.0.1:3128", "http://user:word@localhost:3128/", "[::1]:3128"):
        case.fails("--build-arg", "http_proxy=" + value, says=["http_proxy names a proxy on the host's loopback"])
    for value in ("http://192.0.2.1:3128", "http://localhost.example.org"):
        build = case.fails("--build-arg", "HTTPS_PROXY=" + value)
        expect("host's loopback" not in build.text, build.text)
    build = case.fails("--build-arg", "http_proxy=http://127.0.0.1:3128", "--network", "host")
    expect("host's loopback" not in build.text, build.text)


def test_runs_share_a_network(case):
    needs_own_network(case)
    reach(case)
    case.dockerfile("FROM busybox AS a", "COPY reach /", "RUN /reach serve 4321 > /served",
                    "FROM busybox AS b", "COPY reach /", "RUN /reach hear 4321 > /heard",
                    "FROM busybox", "COPY --from=a /served /", "COPY --from=b /heard /")
    build = case.build()
    expect_equal((build.file("served"), build.file("heard")), ("open", "open"))


def test_sockets_bound_to_the_interface(case):
    """Every user may bind one; it does not lead to the host either."""
    if not os.path.exists("/proc/sys/net/core/xfrm_acq_expires"):
        raise Skip("a kernel without XFRM")
    needs_own_network(case)
    reach(case)
    case.dockerfile("FROM busybox", "COPY reach /", "USER 1000", "WORKDIR /tmp",
                    "RUN way=$(ls /sys/class/net | grep -v '^lo$');"
                    " for a in 127.0.0.1 127.0.0.53 ::1; do /reach refused $way $a 9 >> result; done")
    expect_equal(case.build().file("tmp/result").split(), ["open"] * 3)


def test_no_user_needs_rights(case):
    """Every user may bind the ports below 1024 and send echo requests."""
    needs_own_network(case)
    reach(case)
    case.dockerfile("FROM busybox", "COPY reach /", "USER 1000:1000", "WORKDIR /tmp", "RUN /reach bind 80 > bind",
                    "RUN /reach ping > ping")
    build = case.build()
    expect_equal((build.file("tmp/bind"), build.file("tmp/ping")), ("open", "open"))


def name_server(case, address):
    """Answers every question for an IPv4 address with 203.0.113.77."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        server.bind((address, 53))
    except OSError as error:
        raise Skip("port 53: %s" % error)

    def serve():
        while True:
            try:
                question, client = server.recvfrom(2048)
            except OSError:
                return
            end = question.index(b"\0", 12) + 5
            is_ipv4 = question[end - 4:end - 2] == b"\0\1"
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("203.0.113.77") if is_ipv4 else b""
            server.sendto(question[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_ipv4 else b"\0\0") + b"\0" * 4 +
                          question[12:end] + answer, client)
    threading.Thread(target=serve, daemon=True).start()
    case.at_end(server.close)


def names_on_the_loopback(case, env):
    case.needs_root()
    address = "127.%d.%d.%d" % tuple(uuid.uuid4().bytes[:3])
    name_server(case, address)
    resolver = os.path.join(case.dir, "resolv.conf")
    with open(resolver, "w") as f:
        f.write("nameserver %s\n" % address)
    case.dockerfile("FROM busybox", "RUN nslookup host.example.test > /answer; cat /etc/resolv.conf > /resolver")
    mounted = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolver)
    build = case.attempt(prefix=mounted, env=env)
    expect_equal(build.status, 0)
    expect("203.0.113.77" in build.file("answer"), build.file("answer"))
    expect(address not in build.file("resolver"), build.file("resolver"))


def test_names_are_resolved_by_the_host(case):
    """Also where the host's name server is on its loopback."""
    needs_own_network(case)
    names_on_the_loopback(case, {})


def test_names_are_resolved_by_the_host_with_slirp4netns(case):
    case.needs("slirp4netns")
    needs_own_network(case, NO_PASTA, "by slirp4netns")
    names_on_the_loopback(case, NO_PASTA)


PRIVATE_HOST = """
set -e
ip link set lo up
ip link add d0 type veth peer name p0 && ip link add d1 type veth peer name p1
ip addr add 203.0.113.5/24 dev d0 && ip addr add 203.0.113.6/24 dev d0 && ip addr add 198.51.100.1/24 dev d1
ip -6 addr add 2001:db8:1::5/64 dev d0 nodad && ip -6 addr add 2001:db8:2::1/64 dev d1 nodad
for i in d0 d1 p0 p1; do ip link set $i up; done
ip route add default via 203.0.113.1 dev d0
ip -6 route add default via 2001:db8:1::1 dev d0
python3 -c "$SERVER" & server=$!
status=0; "$@" || status=$?
kill $server
exit $status
"""
SERVER = """
import socket
listener = socket.create_server(("::", 4321), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    client, _ = listener.accept()
    client.sendall(b"x")
    client.close()
"""


def test_all_addresses_of_the_host_are_out_of_reach(case):
    """Those of other interfaces than the one that leads outside, too. The host is a network namespace here."""
    case.needs_root()
    case.needs("ip", "unshare", "python3")
    needs_own_network(case)
    reach(case)
    addresses = ["203.0.113.5", "203.0.113.6", "198.51.100.1", "2001:db8:1::5", "2001:db8:2::1"]
    case.dockerfile("FROM busybox", "COPY reach /",
                    *["RUN (echo -n '%s '; /reach tcp %s 4321) >> /result" % (address, address) for address in addresses])
    inside = ("unshare", "-n", "env", "SERVER=" + SERVER, "sh", "-c", PRIVATE_HOST, "sh")
    check = "; ".join("%s/reach tcp %s 4321" % (case.context, address) for address in addresses)
    control = case.run(list(inside) + ["sh", "-c", "sleep 3; " + check])
    if control.status or control.text.split() != ["open"] * len(addresses):
        raise Skip("no virtual interfaces here: " + control.text)
    build = case.attempt(prefix=inside)
    expect_equal(build.status, 0)
    expect_equal(reached(build), [])
    expect("HostNetwork" not in build.text, build.text)


def test_a_host_without_a_network(case):
    """Steps have none either then, and need no permission for it."""
    case.needs_root()
    case.needs("unshare")
    needs_own_network(case)
    case.dockerfile("FROM busybox", "RUN ip addr > /addresses")
    build = case.attempt(prefix=("unshare", "-n"))
    expect_equal(build.status, 0)
    expect("127.0.0.1" in build.file("addresses"), build.file("addresses"))
    expect("HostNetwork" not in build.text, build.text)


# ---- its end

def stat_of(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            name, fields = f.read().split("(", 1)[1].rsplit(")", 1)
            return name, int(fields.split()[1]), fields.split()[19]  # parent, start
    except OSError:
        return None


def network_programs(ancestor):
    """{pid: start} of the programs that run a network for this process."""
    found = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        about = at = stat_of(pid)
        if not about or not re.match("pasta|passt|slirp4netns", about[0]):
            continue
        while at and at[1] not in (0, ancestor):
            at = stat_of(at[1])
        if at and at[1] == ancestor:
            found[pid] = about[2]
    return found


def ends(case, finish, step="while :; do sleep 1; done", env=None):
    case.dockerfile("FROM busybox", "RUN echo be''gun; %s # %s" % (step, case.nonce))
    process = case.start(env=env or {})
    while "begun" not in process.stdout.readline():
        expect(process.poll() is None, "the build ended early")
    # The step may have begun before its network.
    until(lambda: network_programs(process.pid), "a program runs the network")
    programs = network_programs(process.pid)
    finish(process)
    if finish is not os_kill:
        output_of(process)
    process.wait(timeout=HANG)
    for _ in range(HANG * 10):
        left = [pid for pid, start in programs.items() if (stat_of(pid) or (0, 0, ""))[2] == start]
        if not left:
            return
        time.sleep(0.1)
    expect(False, "still running:", left)


def os_kill(process):
    os.kill(process.pid, signal.SIGKILL)


def test_gone_after_success(case):
    needs_own_network(case)
    ends(case, lambda process: None, "sleep 1")


def test_gone_after_failure(case):
    needs_own_network(case)
    ends(case, lambda process: None, "sleep 1; exit 3")


def test_gone_after_an_interrupt(case):
    needs_own_network(case)
    ends(case, lambda process: process.send_signal(signal.SIGINT))


def test_gone_after_kill(case):
    needs_own_network(case)
    ends(case, os_kill)


def test_slirp4netns_gone_after_kill(case):
    case.needs("slirp4netns")
    needs_own_network(case, NO_PASTA, "by slirp4netns")
    ends(case, os_kill, env=NO_PASTA)


def test_no_run_no_network(case):
    """A build that runs nothing starts none."""
    case.write("a", "a\n")
    case.dockerfile("FROM busybox", "COPY a /")
    directory = case.new_directory("bin")
    for name in ("pasta", "slirp4netns"):
        path = os.path.join(directory, name)
        with open(path, "w") as f:
            f.write("#!/bin/sh\necho > %s/started\nexit 1\n" % case.dir)
        os.chmod(path, 0o755)
    env = {"PATH": directory + ":" + os.environ["PATH"]}
    case.build(env=env)
    expect(not os.path.exists(case.dir + "/started"), "a network was started")
