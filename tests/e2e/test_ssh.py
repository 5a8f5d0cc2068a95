"""RUN --mount=type=ssh with a real agent: a step may use its keys, not change it."""
import os
import re
import shutil

from support import Skip, expect, expect_equal


def take_with_libraries(case, *programs):
    """Puts programs of this host into the context's directory `root`, with all that they load."""
    for program in programs:
        path = shutil.which(program)
        text = case.run(["ldd", path]).text
        for file in [path] + re.findall(r"(/\S+) \(0x", text):
            target = os.path.join(case.context, "root", file.lstrip("/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(file, target)


def agent(case):
    """The socket of an agent that holds one key, and the key's fingerprint."""
    case.needs("ssh-agent", "ssh-add", "ssh-keygen", "ldd")
    directory = case.new_directory("a")
    socket, key = os.path.join(directory, "s"), os.path.join(directory, "key")
    if len(socket) > 100:
        raise Skip("the path of a socket would be too long")
    text = case.check("ssh-agent", "-a", socket)
    case.at_end(lambda: os.kill(int(re.search(r"SSH_AGENT_PID=(\d+)", text).group(1)), 15))
    case.check("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key)
    case.check("ssh-add", key, env={"SSH_AUTH_SOCK": socket})
    take_with_libraries(case, "ssh-add", "ssh-keygen")
    shutil.copy(key + ".pub", os.path.join(case.context, "key.pub"))
    return socket, case.check("ssh-keygen", "-l", "-f", key + ".pub").split()[1]


def test_keys_are_used(case):
    socket, fingerprint = agent(case)
    case.dockerfile("FROM busybox", "COPY root /", "COPY key.pub /key.pub",
                    "RUN --mount=type=ssh ssh-add -l > /list && echo text > /text &&"
                    " ssh-keygen -Y sign -n file -f /key.pub /text")
    build = case.build("--ssh", "default=" + socket)
    expect(fingerprint in build.file("list"), build.file("list"))
    expect("BEGIN SSH SIGNATURE" in build.file("text.sig"), "no signature")


def test_the_agent_is_not_changed(case):
    """Keys are neither removed nor added, and it is not locked."""
    socket, fingerprint = agent(case)
    case.dockerfile("FROM busybox", "COPY root /",
                    "RUN --mount=type=ssh ssh-add -D && echo removed > /done; true",
                    "RUN --mount=type=ssh ssh-keygen -q -t ed25519 -N '' -f /tmp/k && ssh-add /tmp/k && echo added > /done; true",
                    "RUN touch /done")
    build = case.build("--ssh", "default=" + socket)
    expect_equal(build.file("done"), "")
    left = case.check("ssh-add", "-l", env={"SSH_AUTH_SOCK": socket}).split("\n")
    expect(fingerprint in left[0] and len(left) == 2, left)
