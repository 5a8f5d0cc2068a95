"""A first lab with containers, as a course has it, with this program in the place of docker: build, run, publish a
port, look inside, share a directory, push, pull elsewhere; for both platforms. With a base `python` in the layout its
server is written in Python, else it is busybox's."""
import os
import pty
import socket
import time
import urllib.request

import oci
from registry import Registry, docker_config
from support import BOTH, FOREIGN, HANG, MACHINE, expect, expect_equal, rest_of_terminal
from test_containers import has_pasta, until
from test_images import log_in

HELLO = '''from http.server import BaseHTTPRequestHandler, HTTPServer


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"Hello, world!\\n")


HTTPServer(("", 8000), Hello).serve_forever()
'''


def write_lab(case):
    """The name of the base, and the flag by which builds find it."""
    base = "python" if oci.Layout(case.bases).images("python") else "busybox"
    if base == "python":
        case.write("hello.py", HELLO)
        case.dockerfile("FROM python", "WORKDIR /app", "COPY hello.py .", "EXPOSE 8000",
                        'CMD ["python3", "-u", "hello.py"]')
    else:
        case.write("hello.html", "Hello, world!\n")
        case.dockerfile("FROM busybox", "WORKDIR /app", "COPY hello.html index.html", "EXPOSE 8000",
                        'CMD ["busybox", "httpd", "-f", "-p", "8000"]')
    return "--build-context", "%s=oci-layout://%s:%s" % (base, case.bases, base)


def served(port):
    try:
        return urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=5).read() == b"Hello, world!\n"
    except OSError:
        return False


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_lab(case):
    if not has_pasta(case):
        return
    env = dict(docker_config(case, {}), MBUILD_ROOT=case.root)
    mbuild = lambda *words, root=None: case.check(
        case.mbuild, words[0], *words[1:], env=dict(env, MBUILD_ROOT=root or case.root), cwd=case.context).strip()
    base = write_lab(case)
    mbuild("build", *base, "--platform", ",".join(BOTH), "-t", "hello", ".")
    expect("hello" in mbuild("image", "ls"))
    expect("Hello" in mbuild("run", "--rm", "hello", "sh", "-c", "cat /app/*"))
    for platform in BOTH:
        expect_equal(mbuild("run", "--rm", "--platform", platform, "hello", "uname", "-m"), MACHINE[platform])

    port = free_port()
    case.at_end(lambda: case.run([case.mbuild, "rm", "-f", "--root", case.root, "web", "other"]))
    container = mbuild("run", "-d", "-p", "127.0.0.1:%d:8000" % port, "--name", "web", "hello")
    until(lambda: served(port), "an answer")
    expect(container[:12] in mbuild("container", "ls"))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(case.context)
        os.execve(case.mbuild, [case.mbuild, "exec", "-it", "web", "sh"], dict(os.environ, **env))
    os.write(terminal, b"pwd; exit\n")
    expect(b"/app\r\n" in rest_of_terminal(terminal))
    expect_equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
    mbuild("stop", "-t", "1", "web")
    expect(container[:12] not in mbuild("container", "ls"))
    expect(container[:12] in mbuild("container", "ls", "--all"))

    # A directory that several containers share.
    os.mkdir(os.path.join(case.context, "data"))
    mbuild("run", "--rm", "-v", "./data:/data", "hello", "sh", "-c", "echo from one > /data/note")
    mbuild("container", "run", "-d", "--name", "other", "-v", "./data:/data", "hello")
    expect_equal(mbuild("exec", "other", "cat", "/data/note"), "from one")

    server = Registry(case, password=True)
    expect_equal(log_in(case, server, env, "--password-stdin").returncode, 0)
    name = server.host + "/student/hello"
    mbuild("tag", "hello", name)
    mbuild("push", name)
    elsewhere = os.path.join(case.dir, "elsewhere")
    mbuild("pull", "--all-platforms", name, root=elsewhere)
    expect_equal(mbuild("run", "--rm", "--platform", FOREIGN, name, "uname", "-m", root=elsewhere), MACHINE[FOREIGN])
