"""--load: into Podman's storage, and into a Docker engine. No engine runs where the tests run, so a small server on a
socket stands for its API: it takes the tar and answers as an engine does."""
import http.server
import io
import json
import os
import socketserver
import tarfile
import tempfile
import threading

import oci
from support import BOTH, HOST, Skip, expect, expect_equal


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """An engine's API: what was loaded is in `loaded`; `refuses` is an error to answer with."""
    daemon_threads = True

    def __init__(self, containerd=False, refuses=None):
        self.loaded, self.containerd, self.refuses = [], containerd, refuses
        self.directory = tempfile.mkdtemp(prefix="mbuild-e2e-", dir="/tmp")  # a socket's path is short
        self.path = self.directory + "/s"
        super().__init__(self.path, Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
        os.unlink(self.path)
        os.rmdir(self.directory)

    @property
    def env(self):
        return {"DOCKER_HOST": "unix://" + self.path}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "socket"

    def log_message(self, *_):
        pass

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        if self.path.endswith("/_ping"):
            return self.answer("OK")
        driver = [["driver-type", "io.containerd.snapshotter.v1"]] if self.server.containerd else []
        self.answer(json.dumps({"Driver": "overlayfs", "DriverStatus": driver}))

    def chunks(self):
        while True:
            size = int(self.rfile.readline(), 16)
            data = self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return
            yield data

    def do_POST(self):
        self.server.loaded.append(b"".join(self.chunks()))
        if self.server.refuses:
            self.answer(json.dumps({"errorDetail": {"message": self.server.refuses}, "error": self.server.refuses}) + "\n")
        else:
            self.answer(json.dumps({"stream": "Loaded image: app:1\n"}) + "\n")


def simple(case):
    case.write("data", "data\n")
    case.dockerfile("FROM busybox", "COPY data /data")


def write_loaded(case, engine, number):
    path = case.dir + "/loaded.tar"
    with open(path, "wb") as f:
        f.write(engine.loaded[number])
    return path


def loaded(case, engine):
    return oci.Layout(write_loaded(case, engine, 0))


def test_docker(case):
    simple(case)
    with Engine() as engine:
        build = case.build("--load", "-t", "app:1", env=engine.env, export=False)
        expect("Loaded image: app:1" in build.text, "the engine's answer is not shown")
        with tarfile.open(fileobj=io.BytesIO(engine.loaded[0])) as archive:
            legacy = json.load(archive.extractfile("manifest.json"))
        expect_equal(legacy[0]["RepoTags"], ["app:1"])
        layout = loaded(case, engine)
        expect_equal(layout.tree(layout.images()[HOST][1])["data"].data, b"data\n")


def test_docker_with_several_platforms(case):
    """An engine keeps an image index only with containerd's image store."""
    simple(case)
    with Engine() as engine:
        case.fails("--load", env=engine.env, platforms=BOTH, export=False, says=["containerd image store"])
        expect_equal(engine.loaded, [])
    with Engine(containerd=True) as engine:
        case.build("--load", "-t", "app", env=engine.env, platforms=BOTH, export=False)
        expect_equal(sorted(loaded(case, engine).images()), sorted(BOTH))


def test_as_dockers_own_builder(case):
    """What `docker build` makes is docker's; an image for several platforms, or one without an engine, is kept."""
    simple(case)
    plugin = os.path.join(case.dir, "docker-buildx")
    os.symlink(os.path.abspath(case.mbuild), plugin)

    def build(*words, env, platforms=(HOST,)):
        return case.check(plugin, "buildx", *case.command(*words, platforms=platforms)[1:], env=env)

    with Engine(containerd=True) as engine:
        expect("Loaded image: app:1" in build("-t", "app:1", env=engine.env), "it was not loaded")
        expect_equal(loaded(case, engine).images().keys(), {HOST})
        identity = build("-q", env=engine.env).split()[-1]
        expect_equal(identity, oci.Layout(write_loaded(case, engine, 1)).index["manifests"][0]["digest"])
        del engine.loaded[1]
        build("-t", "app:2", "-o", "type=cacheonly", env=engine.env)
        expect("kept in the store as app:3" in build("-t", "app:3", env=engine.env, platforms=BOTH), "it is not kept")
        expect_equal(len(engine.loaded), 1)
    nobody = {"DOCKER_HOST": "unix:///nonexistent/socket"}
    expect("kept in the store as app:4" in build("-t", "app:4", env=nobody), "it is not kept")


def test_docker_refuses(case):
    simple(case)
    with Engine(refuses="no space left") as engine:
        case.fails("--load", "-t", "app", env=engine.env, export=False, status=5, says=["refused", "no space left"])
    case.fails("--load", env={"DOCKER_HOST": "unix:///nonexistent/socket"}, export=False, status=5,
               says=["does not answer"])
    case.fails("--load", env={"DOCKER_HOST": "ssh://host"}, export=False, status=5, says=["unix:// and tcp://"])


def podman_env(case):
    case.needs("podman")
    if os.path.exists("/var/run/docker.sock"):
        raise Skip("a Docker engine would be taken")
    configuration = case.dir + "/storage.conf"
    with open(configuration, "w") as f:
        f.write('[storage]\ndriver = "vfs"\ngraphroot = "%s/p"\nrunroot = "%s/r"\n' % (case.dir, case.dir))
    return {"CONTAINERS_STORAGE_CONF": configuration}


def test_podman(case):
    env = podman_env(case)
    simple(case)
    build = case.build("--load", "-t", "example.test/app:1", env=env, export=False)
    expect("example.test/app:1" in build.text, "podman's answer is not shown")
    facts = json.loads(case.check("podman", "image", "inspect", "example.test/app:1", env=env))
    expect_equal(facts[0]["Architecture"], HOST.split("/")[1])
    case.fails("--load", env=env, platforms=BOTH, export=False, status=2, says=["Podman loads one platform"])


def test_no_engine(case):
    if os.path.exists("/var/run/docker.sock"):
        raise Skip("a Docker engine would be taken")
    simple(case)
    case.fails("--load", env={"PATH": case.dir}, export=False, status=5, says=["no container engine", "type=oci"])
