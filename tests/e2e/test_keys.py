"""What a result depends on: no stale layer above another result, and nothing run for what does not matter."""
import ctypes
import http.server
import os
import shutil
import struct
import threading
import time

from support import BOTH, FOREIGN, HOST, MARK, expect, expect_equal, quick


def executed(build):
    return build.cached_and_executed()[1]


def forget_layer_with(case, path):
    """Removes the layers that hold the file, as a collection of garbage does."""
    found = 0
    for name in os.listdir(os.path.join(case.root, "fs")):
        layers = os.path.join(case.root, "fs", name, "layers")
        for layer in os.listdir(layers) if os.path.isdir(layers) else []:
            if os.path.lexists(os.path.join(layers, layer, path)):
                shutil.rmtree(os.path.join(layers, layer))
                found += 1
    expect(found > 0, "no layer holds", path)


def base(case, name, *lines):
    return "--build-context=base=oci-layout://" + case.derived_base(name, *lines)


def chain(case):
    case.dockerfile("FROM busybox AS first", MARK + "/mark", "FROM first AS second", "RUN cp /mark /below",
                    "FROM busybox", "COPY --from=second /below /copied", "COPY --from=first /mark /mark",
                    "RUN cp /copied /last")


def check_chain(build):
    for path in ("copied", "last"):
        expect_equal(build.file(path), build.file("mark"), path + " comes from an older run")


@quick
def test_no_stale_layer_after_no_cache_filter(case):
    chain(case)
    first = case.build()
    second = case.build("--no-cache-filter", "first")
    check_chain(second)
    expect(second.file("mark") != first.file("mark"), "--no-cache-filter did not run the stage")
    third = case.build()
    check_chain(third)
    expect_equal(third.file("mark"), second.file("mark"))
    expect_equal(executed(third), [])


def test_no_stale_layer_after_eviction(case):
    chain(case)
    first = case.build()
    forget_layer_with(case, "mark")
    second = case.build()
    check_chain(second)
    expect(second.file("mark") != first.file("mark"), "the test forgot nothing")


def test_equal_content_elsewhere(case):
    for directory in "ab":
        case.write(directory + "/in/file", "content\n")
    lines = "FROM busybox", "COPY a/in/file /copied", "RUN --mount=source=a/in,target=/in cp /in/file /file", MARK + "/mark"
    case.dockerfile(*lines)
    first = case.build()
    case.dockerfile(*(line.replace("a/in", "b/in") for line in lines))
    second = case.build()
    expect_equal(executed(second), [], "where equal files come from does not matter")
    expect_equal(second.layers(), first.layers())


def test_another_epoch(case):
    case.write("file", "content\n")
    case.dockerfile("FROM busybox", "COPY file <<EOF /made/", "text", "EOF", MARK + "/mark", "WORKDIR /dated", MARK + "/last")
    first = case.build(env={"SOURCE_DATE_EPOCH": "1000"})
    second = case.build(env={"SOURCE_DATE_EPOCH": "2000"})
    expect_equal(second.file("mark"), first.file("mark"), "the epoch of another commit ran a step again")
    expect(second.file("last") != first.file("last"), "WORKDIR has the epoch's time, so what is below has another base")


def test_equal_result_keeps_all_below(case):
    case.dockerfile("FROM busybox AS first", "RUN echo same >/same", "FROM first", MARK + "/mark", "RUN cp /mark /copy")
    first = case.build()
    second = case.build("--no-cache-filter", "first")
    expect_equal(executed(second), ["[first 2/2] RUN echo same >/same"])
    expect_equal(second.layers(), first.layers())


def test_copy_does_not_depend_on_the_base(case):
    case.write("file", "content\n")
    case.dockerfile("FROM base", "COPY file /opt/app/file", MARK + "/mark")
    plain = base(case, "plain", "RUN echo 1 >/version")
    newer = base(case, "newer", "RUN echo 2 >/version")
    linked = base(case, "linked", "RUN rm -r /opt && mkdir /elsewhere && ln -s elsewhere /opt")
    first = case.build(plain)
    second = case.build(newer)
    expect_equal(executed(second), ["[3/3] " + MARK + "/mark"], "on a base where the destination is the same")
    expect(second.file("mark") != first.file("mark"), "the RUN was not executed on the new base")
    third = case.build(linked)
    expect_equal(executed(third), ["[2/3] COPY file /opt/app/file", "[3/3] " + MARK + "/mark"],
                 "on a base where the destination is a link")
    expect_equal(third.file("elsewhere/app/file"), "content")


class Counting(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"data\n")

    def log_message(self, *_):
        pass


def test_once_for_all_platforms(case):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    server.requests = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        case.write("file", "content\n")
        case.dockerfile("FROM --platform=$BUILDPLATFORM busybox AS tools", MARK + "/mark", "FROM busybox",
                        "COPY file /file", "ADD http://127.0.0.1:%d/data /data" % server.server_address[1],
                        "COPY --from=tools /mark /mark")
        build = case.build(platforms=BOTH)
    finally:
        server.shutdown()
        server.server_close()
    expect_equal(server.requests, ["/data"], "requests for the file of ADD")
    expect_equal(build.file("mark", HOST), build.file("mark", FOREIGN))
    names = [line.split("] ", 1)[1] for line in executed(build)]
    for step in ("COPY file /file", "COPY --from=tools /mark /mark", MARK + "/mark"):
        expect_equal(names.count(step), 1, "executions of " + step)


def test_once_for_all_targets(case):
    lines = ["FROM busybox AS common", MARK + "/mark"]
    for name in "abc":
        lines += ["FROM common AS " + name, "RUN cp /mark /" + name]
    lines += ["FROM busybox"] + ["COPY --from=%s /%s /%s" % (name, name, name) for name in "abc"]
    case.dockerfile(*lines)
    build = case.build()
    expect_equal(len({build.file(name) for name in "abc"}), 1, "marks")
    for name in "abc":
        expect_equal(case.build("--target", name).file(name), build.file("a"), "for the target " + name)


def test_times_do_not_matter_but_modes_do(case):
    case.needs("git")
    case.write("tree/a", "1\n")
    case.write("tree/sub/b", "2\n")
    case.dockerfile("FROM busybox", "COPY tree/ /tree/", MARK + "/mark")
    git = ["git", "-C", case.context, "-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "core.fileMode=true"]
    case.check(*git, "init", "-q")
    case.check(*git, "add", ".")
    case.check(*git, "commit", "-q", "-m", "one")
    first = case.build()

    def nothing_runs(why):
        again = case.build()
        expect_equal(executed(again), [], why)
        expect_equal(again.digests(), first.digests(), why)

    tree = os.path.join(case.context, "tree")
    os.utime(os.path.join(tree, "a"), (1, 1))
    os.utime(os.path.join(tree, "sub"), (1, 1))
    nothing_runs("other times")
    os.chmod(os.path.join(tree, "a"), 0o600)
    os.chmod(os.path.join(tree, "a"), 0o644)
    nothing_runs("a mode changed and changed back")
    case.check(*git, "checkout", "-q", "-b", "other")
    case.check(*git, "rm", "-q", "-r", "tree/sub")
    case.check(*git, "commit", "-q", "-m", "two")
    case.check(*git, "checkout", "-q", "-")
    nothing_runs("another branch was checked out, and the first one again")
    shutil.move(tree, tree + ".aside")
    shutil.copytree(tree + ".aside", tree, symlinks=True)
    nothing_runs("files replaced by copies")
    os.chmod(os.path.join(tree, "sub", "b"), 0o755)
    second = case.build()
    expect(second.file("mark") != first.file("mark"), "nothing ran after a change of mode")
    expect_equal(second.tree()["tree/sub/b"].mode & 0o777, 0o755)


class Opened:
    """Which of the files below a directory are opened, by whomever."""

    def __init__(self, case, directory):
        self.libc, self.directory, self.watched = ctypes.CDLL(None, use_errno=True), directory, {}
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        expect(self.fd >= 0, "inotify_init1:", os.strerror(ctypes.get_errno()))
        case.at_end(lambda: os.close(self.fd))
        for top, _, files in os.walk(directory):
            for name in files:
                path = os.path.join(top, name)
                watch = self.libc.inotify_add_watch(self.fd, path.encode(), 0x20)  # IN_OPEN
                expect(watch >= 0, "inotify_add_watch", path)
                self.watched[watch] = os.path.relpath(path, directory)

    def take(self):
        found = set()
        while True:
            try:
                events = os.read(self.fd, 65536)
            except BlockingIOError:
                return sorted(found)
            while events:
                watch, _, _, size = struct.unpack("iIII", events[:16])
                found.add(self.watched[watch])
                events = events[16 + size:]


def test_only_what_is_selected_is_opened(case):
    """The context is read in place: nothing is opened that no COPY, ADD or mount selects, and nothing twice."""
    for name in ("copied/a", "copied/a.log", "added", "bound/b", "bound/sub/c", "elsewhere/d", "e", "copied.not"):
        case.write(name, name + "\n")
    case.write(".dockerignore", "**/*.log\n")
    case.dockerfile("FROM busybox", "COPY copied/ /copied/", "ADD added /", "RUN --mount=type=bind,source=bound,target=/b cat /b/b")
    opened = Opened(case, case.context)
    case.write("secret/unreadable", "x", 0)
    os.mkfifo(os.path.join(case.context, "fifo"))  # who opens it waits for ever
    time.sleep(0.3)  # the digest of a file that has just changed is not relied on
    first = case.build(platforms=BOTH)
    always = [".dockerignore", "Dockerfile"]
    expect_equal(opened.take(), sorted(always + ["added", "bound/b", "bound/sub/c", "copied/a"]))
    expect_equal(case.build(platforms=BOTH).digests(), first.digests())
    expect_equal(opened.take(), always, "files whose digests are known")
    case.write("copied/a", "new\n")
    case.build(platforms=BOTH)
    expect_equal(opened.take(), sorted(always + ["added", "copied/a"]), "after a change of one file (is added an archive?)")


def test_a_file_that_changes_while_it_is_read(case):
    """Whatever builds do beside the writer: what they leave in the cache is never taken for the file as it is at last."""
    path = case.write("file", "0" * (1 << 20))
    case.dockerfile("FROM busybox", "COPY file /file")
    done = threading.Event()

    def write():
        version = 0
        while not done.is_set():
            version += 1
            with open(path, "r+b") as f:  # same inode, same size
                f.write(b"%x" % (version % 16) * (1 << 20))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(4):
            build = case.attempt(export=False)
            if build.status != 0:
                expect("changed while" in build.text, "failed, but not for the change")
    finally:
        done.set()
        writer.join()
    with open(path, "rb") as f:
        last = f.read()
    expect_equal(case.build().tree()["file"].data == last, True, "the file in the image is that on disk")


def test_pull_and_no_cache(case):
    case.write("file", "content\n")
    case.dockerfile("FROM busybox", "RUN --mount=type=cache,target=/c date >>/c/log; wc -l </c/log >/lines", "COPY file /file")
    expect_equal(case.build().file("lines"), "1")
    pulled = case.build("--pull")
    expect_equal(executed(pulled), [], "--pull of the same base")
    expect_equal(case.build("--no-cache").file("lines"), "1", "--no-cache starts with an empty cache mount")
    case.fails("--no-cache", "--no-cache-filter", "x", status=2, says=["cannot", "together"])


@quick
def test_times_that_a_step_sets_are_those_of_the_image(case):
    """Nothing but times may differ from what an earlier step made: then its layer is not good enough."""
    def times(made):
        return {name: time for layer in made.layout.images()[HOST][1]["layers"]
                for name, time in made.layout.times(layer).items()}

    def build(first, second, **options):
        case.dockerfile("FROM busybox", "RUN touch -d '%s' /a.c; touch -d '%s' /a.o" % (first, second),
                        "RUN [ /a.o -nt /a.c ] && echo newer > /r || echo older > /r")
        made = case.build(**options)
        return times(made)["a.o"], made.file("r")

    first = build("2020-01-01 00:00", "2021-01-01 00:00")
    expect_equal(first[1], "newer")
    older = build("2020-01-01 00:00", "2019-01-01 00:00")
    expect(older[0] < first[0], "the time is that of the earlier step")
    expect_equal(older[1], "older")
    expect_equal(build("2020-01-01 00:00", "2021-01-01 00:00"), first)

    case.write("f", "text")
    case.dockerfile("FROM busybox", "COPY f /")
    path = os.path.join(case.context, "f")
    os.utime(path, (1000000000, 1000000000))
    expect_equal(times(case.build())["f"], 1000000000)
    os.utime(path, (1100000000, 1100000000))
    expect_equal(times(case.build("--no-cache"))["f"], 1100000000)
