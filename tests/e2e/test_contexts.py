"""Contexts and Dockerfiles that are addresses: git repositories, archives and files, from servers of the test."""
import contextlib
import hashlib
import http.server
import io
import os
import re
import subprocess
import tarfile
import threading

from support import HOST, expect, expect_equal, quick

MAY_2020 = 1588300000


class Handler(http.server.BaseHTTPRequestHandler):
    """Files of a dictionary by path, and the repositories below a directory by git's own program."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.split("?")[0]
        self.server.asked.append(path)
        if ".git/" in path:
            return self.git()
        if path not in self.server.files:
            return self.send_error(404)
        tag = '"%s"' % hashlib.sha256(self.server.files[path]).hexdigest()
        if self.headers.get("If-None-Match") == tag:
            self.send_response(304)
            return self.end_headers()
        self.send_response(200)
        self.send_header("ETag", tag)
        if self.server.last_modified:
            self.send_header("Last-Modified", self.server.last_modified)
        self.send_header("Content-Length", str(len(self.server.files[path])))
        self.end_headers()
        self.wfile.write(self.server.files[path])

    def do_POST(self):
        self.git()

    def git(self):
        path, _, query = self.path.partition("?")
        if self.server.token and self.server.token not in self.headers.get("Authorization", ""):
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=test")
            return self.end_headers()
        environment = dict(os.environ, GIT_PROJECT_ROOT=self.server.repositories, GIT_HTTP_EXPORT_ALL="1",
                           PATH_INFO=path, QUERY_STRING=query, REQUEST_METHOD=self.command,
                           CONTENT_TYPE=self.headers.get("Content-Type", ""), REMOTE_ADDR="127.0.0.1",
                           GIT_PROTOCOL=self.headers.get("Git-Protocol", ""),
                           HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
                           GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE).stdout
        head, _, body = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def serve(case, files=None, token="", last_modified=""):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.token, server.last_modified, server.asked = files or {}, token, last_modified, []
    server.repositories = case.dir
    server.address = "http://127.0.0.1:%d" % server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Repository:
    """repo.git in the directory of the case."""

    def __init__(self, case):
        case.needs("git")
        self.case, self.path = case, os.path.join(case.dir, "repo.git")
        os.mkdir(self.path)
        self.git("init", "--quiet", "--initial-branch=main", ".")

    def git(self, *arguments):
        date = "%d +0000" % MAY_2020
        return self.case.check("git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments, cwd=self.path,
                               env={"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}).strip()

    def commit(self, files):
        for name, text in files.items():
            path = os.path.join(self.path, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "x")
        return self.git("rev-parse", "HEAD")


def tar_of(files, mtime=0):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(text), mtime
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def commands_created(build):
    return build.layout.images()[HOST][2]["created"]


@quick
def test_git_context(case):
    repository = Repository(case)
    first = repository.commit({"Dockerfile": "FROM scratch\nCOPY . /\n", "f": "one", ".dockerignore": "f\n"})
    repository.commit({"f": "two", "sub/Dockerfile": "FROM scratch\nCOPY g /sub\n", "sub/g": "three",
                       "other.Dockerfile": "FROM scratch\nCOPY f /other\n"})
    with serve(case) as server:
        url = server.address + "/repo.git"
        build = case.build(context=url)
        expect_equal(build.file("f"), "two")  # .dockerignore is for local contexts
        expect(not any(path.startswith(".git/") for path in build.tree()), ".git is in the image")
        expect("load remote build context " + url in build.text, "the fetch is not shown")
        expect_equal(case.build(context=url + "#" + first).file("f"), "one")
        expect_equal(case.build(context=url + "?commit=" + first).file("f"), "one")
        expect_equal(case.build(context=url + "#main:sub").file("sub"), "three")
        expect_equal(case.build("-f", "other.Dockerfile", context=url).file("other"), "two")
        kept = case.build("--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", context=url)
        expect(".git/HEAD" in kept.tree(), ".git is not in the image")
        case.fails(context=url + "#nowhere", status=3, says=["nowhere"])
        case.fails("-f", "absent", context=url, status=2, says=["absent", "no such file"])


def test_git_context_with_a_token(case):
    Repository(case).commit({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
    with serve(case, token="eC1hY2Nlc3MtdG9rZW46c2VjcmV0") as server:  # x-access-token:secret
        url = server.address + "/repo.git"
        case.fails(context=url, status=3)
        case.build("--secret", "id=GIT_AUTH_TOKEN,env=TOKEN", context=url, env={"TOKEN": "secret"})


def test_links_of_a_remote_context_stay_inside(case):
    repository = Repository(case)
    secret = os.path.join(case.dir, "secret")
    with open(secret, "w") as f:
        f.write("FROM scratch\nLABEL hidden=text\n")
    os.symlink(secret, os.path.join(repository.path, "Dockerfile"))
    repository.commit({})
    with serve(case) as server:
        build = case.fails(context=server.address + "/repo.git", status=2, says=["Dockerfile"])
        expect("hidden" not in build.text, "a file outside the context was shown")


@quick
def test_http_contexts(case):
    files = {"/c.tar.gz": tar_of({"Dockerfile": "FROM scratch\nCOPY f /\n", "f": "tar"}),
             "/df": b"FROM scratch\nCOPY f /g\n",
             "/text": b"FROM scratch\nCOPY context /copied\n",
             "/bad": b"FROM scratch\nCOPPY a b\n"}
    with serve(case, files) as server:
        expect_equal(case.build(context=server.address + "/c.tar.gz").file("f"), "tar")
        expect("COPY context" in case.build(context=server.address + "/text").file("copied"))
        case.fails(context=server.address + "/none", status=3, says=["404"])
        case.fails(context=server.address + "/bad", status=2, says=["unknown instruction", ":2"])
        case.write("f", "local")
        expect_equal(case.build("-f", server.address + "/df").file("g"), "local")


def test_epoch_of_a_remote_context(case):
    created = re.compile("2020-05-01T02:26:40Z")
    Repository(case).commit({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
    text = b"FROM scratch\nCOPY context /\n"
    archive = tar_of({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"}, MAY_2020)
    epoch = ("--build-arg", "SOURCE_DATE_EPOCH=context")
    with serve(case, {"/c.tar.gz": archive}) as server:
        for name in ("/repo.git", "/c.tar.gz"):
            expect(created.match(commands_created(case.build(*epoch, context=server.address + name))), name)
    with serve(case, {"/text": text}, last_modified="Fri, 01 May 2020 02:26:40 GMT") as server:
        expect(created.match(commands_created(case.build(*epoch, context=server.address + "/text"))), "text")
        case.dockerfile("FROM scratch AS time", "ADD %s/text /" % server.address, "FROM scratch", "COPY Dockerfile /")
        expect(created.match(commands_created(case.build("--build-arg", "SOURCE_DATE_EPOCH=time"))), "stage")


@quick
def test_a_checksum_is_that_of_the_file_that_was_fetched_before(case):
    """A server that says that nothing has changed says nothing of the checksum."""
    right = "sha256:" + hashlib.sha256(b"text").hexdigest()
    with serve(case, {"/f": b"text"}) as server:
        address = server.address + "/f"
        case.dockerfile("FROM scratch", "ADD %s /" % address)
        case.build()
        case.build("--no-cache")
        case.dockerfile("FROM scratch", "ADD --checksum=%s %s /" % ("sha256:" + "0" * 64, address))
        case.fails(status=1, says=("digest mismatch " + right,))
        case.dockerfile("FROM scratch", "ADD --checksum=%s %s /" % (right, address))
        case.build()


@quick
def test_names_of_what_is_fetched(case):
    names = {"/foo%20bar.txt": "foo bar.txt", "/g%2B%2B.deb": "g++.deb", "/f%20g%2Fh": "h", "/x?y=z": "x"}
    with serve(case, {name.split("?")[0]: b"text" for name in names}) as server:
        case.dockerfile("FROM scratch", *("ADD %s%s /d/" % (server.address, name) for name in names))
        expect_equal(sorted(path for path in case.build().tree() if path.startswith("d/")),
                     sorted("d/" + name for name in names.values()))
        case.dockerfile("FROM scratch", "COPY --from=o x /")
        case.build("--build-context", "o=%s/x" % server.address)
    case.fails("--build-context", "o=foo://x", status=2, says=("unsupported context source foo for o",))
