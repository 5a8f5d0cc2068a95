"""Registries for tests: Debian's docker-registry on 127.0.0.1, and servers to be put before it.

A Front stands between mbuild and a registry: it keeps a list of the requests and can fail on request. A TokenServer
gives out the bearer tokens that docker-registry asks for.
"""
import base64
import hashlib
import http.client
import http.server
import json
import os
import random
import re
import socket
import subprocess
import threading
import time
import urllib.parse

from support import Build, expect

# bcrypt of "wombat", which docker-registry wants in its htpasswd file.
USER, PASSWORD = "walter", "wombat"
HTPASSWD = "walter:$2b$04$mbuildtestsregistry12uLNZuUXdbXed8c11RtbmUesWQtT.jIsy\n"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = (OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST)
SERVICE, ISSUER = "registry.test", "tokens.test"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def openssl(*arguments, data=None):
    return subprocess.run(("openssl",) + arguments, input=data, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE).stdout


class Authority:
    """A certificate authority, and a certificate of it for localhost and 127.0.0.1."""

    def __init__(self, directory):
        os.mkdir(directory)
        self.ca, self.ca_key = os.path.join(directory, "ca.pem"), os.path.join(directory, "ca.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=test authority", "-keyout", self.ca_key, "-out", self.ca)
        self.directory = directory
        self.certificate, self.key = self.issue("server", "subjectAltName=DNS:localhost,IP:127.0.0.1")

    def issue(self, name, extension):
        path = os.path.join(self.directory, name)
        with open(path + ".ext", "w") as f:
            f.write(extension + "\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                "-keyout", path + ".key", "-out", path + ".csr")
        openssl("x509", "-req", "-in", path + ".csr", "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial",
                "-days", "2", "-extfile", path + ".ext", "-out", path + ".pem")
        return path + ".pem", path + ".key"


class Registry:
    """docker-registry with an empty store below the test's directory. It ends with the test."""

    def __init__(self, case, password=False, tls=None, client_ca=None, tokens=None):
        case.needs("docker-registry", "skopeo", "openssl")
        self.case, self.tls, self.password = case, tls, password
        self.directory = case.new_directory("registry")
        for _ in range(5):  # the port may be taken before the registry has it
            self.port = free_port()
            if self._start(tls, client_ca, tokens):
                break
        else:
            raise RuntimeError("docker-registry does not start: " + open(self.directory + "/log").read()[-2000:])
        self.host = "127.0.0.1:%d" % self.port

    def _start(self, tls, client_ca, tokens):
        http_part = {"addr": "127.0.0.1:%d" % self.port, "relativeurls": True}
        if tls:
            http_part["tls"] = {"certificate": tls.certificate, "key": tls.key}
            if client_ca:
                http_part["tls"]["clientcas"] = [client_ca]
        config = {"version": 0.1, "log": {"level": "warn"}, "http": http_part,
                  "storage": {"filesystem": {"rootdirectory": self.directory + "/data"}, "delete": {"enabled": True}}}
        if self.password:
            with open(self.directory + "/htpasswd", "w") as f:
                f.write(HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "test", "path": self.directory + "/htpasswd"}}
        if tokens:
            config["auth"] = {"token": {"realm": tokens.url, "service": SERVICE, "issuer": ISSUER,
                                        "rootcertbundle": tokens.certificate}}
        with open(self.directory + "/config.yml", "w") as f:
            json.dump(config, f)  # JSON is YAML
        with open(self.directory + "/log", "ab") as log:
            process = subprocess.Popen(["docker-registry", "serve", self.directory + "/config.yml"], stdout=log,
                                       stderr=log, stdin=subprocess.DEVNULL)
        self.case.at_end(lambda: (process.kill(), process.wait()))
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return process.poll() is None
            except OSError:
                time.sleep(0.02)
        return False

    def _skopeo_flags(self, side):
        flags = ["--%stls-verify=false" % side]
        if self.password:
            flags.append("--%screds=%s:%s" % (side, USER, PASSWORD))
        return flags

    def put_base(self, name="base/busybox", source="busybox", *options):
        """Pushes a base image to the registry; its reference."""
        self.case.check("skopeo", "--insecure-policy", "copy", "-q", "--all", *options, *self._skopeo_flags("dest-"),
                        "oci:%s:%s" % (self.case.bases, source), "docker://%s/%s:latest" % (self.host, name))
        return "%s/%s:latest" % (self.host, name)

    def image(self, name):
        """What is under a name ("team/app:v1"), read back by skopeo with all digests checked."""
        path = os.path.join(self.case.new_directory("copy"), "layout")
        self.case.check("skopeo", "--insecure-policy", "copy", "-q", "--all", *self._skopeo_flags("src-"),
                        "docker://%s/%s" % (self.host, name), "oci:%s:copy" % path)
        return Build(0, "", path)

    def request(self, method, path, body=None, headers=None):
        """(status, headers, body) of a request made directly."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers or {"Accept": ", ".join(MANIFESTS)})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, response.headers, data

    def put_blob(self, repository, data):
        """Stores bytes; the members of their descriptor."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        _, headers, _ = self.request("POST", "/v2/%s/blobs/uploads/" % repository)
        location = urllib.parse.urlparse(headers["Location"])
        status, _, text = self.request("PUT", "%s?%s&digest=%s" % (location.path, location.query, digest), data,
                                       {"Content-Type": "application/octet-stream"})
        expect(status == 201, "the registry refuses a blob:", text)
        return {"digest": digest, "size": len(data)}

    def put_manifest(self, repository, tag, value, media_type):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        status, headers, text = self.request("PUT", "/v2/%s/manifests/%s" % (repository, tag), data,
                                             {"Content-Type": media_type})
        expect(status == 201, "the registry refuses a manifest:", text)
        return {"mediaType": media_type, "digest": headers["Docker-Content-Digest"], "size": len(data)}

    def tags(self, repository):
        status, _, text = self.request("GET", "/v2/%s/tags/list" % repository)
        return sorted(json.loads(text).get("tags") or []) if status == 200 else []


class Request:
    """A request as a Front saw it. `nth` counts those of the same method and kind of path, from 0."""

    def __init__(self, method, path, headers, nth):
        self.method, self.path, self.headers, self.nth = method, path, headers, nth
        self.status = None

    @property
    def kind(self):
        if "/blobs/uploads/" in self.path:
            return "upload"
        return "blob" if "/blobs/" in self.path else "manifest" if "/manifests/" in self.path else "other"

    def __repr__(self):
        return "%s %s -> %s" % (self.method, self.path, self.status)


# What a Front may do to a request, by name, with the values it needs.
def answer(status, **headers):
    return ("answer", status, {name.replace("_", "-"): value for name, value in headers.items()})


DROP = ("drop",)                   # the connection ends without an answer
CORRUPT = ("corrupt",)             # one byte of the answer's body is another


SLOW = ("slow",)                   # the answer's body comes in a few pieces, with pauses


def cut(count):                    # the connection ends after so many bytes of the answer's body
    return ("cut", count)


def cut_upload(count):             # the connection ends after so many bytes of the request's body
    return ("cut-upload", count)


def by_seed(seed, kinds, faults, most=1):
    """A rule: each of the first `most` requests of a kind and path may meet one of the faults, as the seed says."""
    def rule(request):
        if request.kind not in kinds or request.nth >= most:
            return None
        place = re.sub(r"uploads/[-0-9a-f]+.*", "uploads/", request.path)
        return random.Random("%s %s %s %d" % (seed, request.method, place, request.nth)).choice(faults)
    return rule


class Front:
    """An HTTP server that passes requests on to a registry. `rule` is asked for each what shall happen to it."""

    def __init__(self, registry, rule=None):
        self.backend, self.rule = registry.port, rule or (lambda request: None)
        self.replace = lambda request: None  # gives (status, headers, body) instead of the registry's answer
        self.requests, self._counts, self._lock = [], {}, threading.Lock()
        front = self

        class Handler(_Handler):
            owner = front

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # connections that a test breaks
        self.host = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        registry.case.at_end(lambda: (self.server.shutdown(), self.server.server_close()))

    def note(self, method, path, headers):
        key = (method, re.sub(r"uploads/.+", "uploads/session", path))
        with self._lock:
            request = Request(method, path, headers, self._counts.get(key, 0))
            self._counts[key] = request.nth + 1
            self.requests.append(request)
        return request

    def take(self):
        """The requests since the last call."""
        with self._lock:
            taken, self.requests = self.requests, []
            return taken


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def body(self, most=None):
        """The request's body, or its first bytes."""
        parts, length = [], 0
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        left = int(self.headers.get("Content-Length", 0))
        while True:
            if chunked:
                size = int(self.rfile.readline().split(b";")[0] or b"0", 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            else:
                size = min(left, 65536)
                parts.append(self.rfile.read(size))
                left -= size
            length += size
            if size == 0 or (most is not None and length >= most):
                return b"".join(parts)

    def hang_up(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def handle_any(self):
        request = self.owner.note(self.command, self.path, self.headers)
        action = self.owner.rule(request) or ("pass",)
        if action[0] == "drop":
            self.body()
            return self.hang_up()
        if action[0] == "cut-upload":
            self.body(action[1])
            return self.hang_up()
        body = self.body()
        if action[0] == "answer":
            request.status = action[1]
            return self.reply(action[1], dict({"Content-Type": "text/plain"}, **action[2]), b"made up by the test\n")
        status, headers, data = self.owner.replace(request) or self.forward(body)
        request.status = status
        if action[0] == "subject":  # as a registry says that it lists what refers to this
            headers["OCI-Subject"] = action[1]
        if action[0] == "corrupt" and data:
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 0x20]) + data[middle + 1:]
        self.reply(status, headers, data, action[1] if action[0] == "cut" else None, action[0] == "slow")

    def forward(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.backend, timeout=60)
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ("transfer-encoding", "content-length", "connection")}
        if body or self.command in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(len(body))
        connection.request(self.command, self.path, body or None, headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        kept = {name: value for name, value in response.getheaders()
                if name.lower() not in ("transfer-encoding", "connection", "content-length")}
        if self.command == "HEAD" and response.headers["Content-Length"]:
            kept["Content-Length"] = response.headers["Content-Length"]
        return response.status, kept, data

    def reply(self, status, headers, data, most=None, slow=False):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if slow:
            piece = len(data) // 8 + 1
            for start in range(0, len(data), piece):
                self.wfile.write(data[start:start + piece])
                time.sleep(0.05)
            return
        self.wfile.write(data[:most])
        if most is not None and most < len(data):
            self.hang_up()

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any


class Tunnel:
    """A proxy that takes CONNECT only; every host that it is asked for is the registry."""

    def __init__(self, registry):
        self.asked = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_CONNECT(self):
                owner.asked.append(self.path)
                self.send_response_only(200)
                self.end_headers()
                with socket.create_connection(("127.0.0.1", registry.port)) as far:
                    back = threading.Thread(target=pass_on, args=(far, self.connection), daemon=True)
                    back.start()
                    pass_on(self.connection, far)
                    back.join()
                self.close_connection = True

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None
        self.host = "127.0.0.1:%d" % server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        registry.case.at_end(lambda: (server.shutdown(), server.server_close()))


def pass_on(near, far):
    """Copies what comes from one socket to the other until its end."""
    try:
        while data := near.recv(65536):
            far.sendall(data)
        far.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class TokenServer:
    """The token server of a registry: gives a token to whoever knows the password or the refresh token, and one to pull
    below "public/" to anybody."""

    REFRESH = "refresh-me"

    def __init__(self, case):
        directory = case.new_directory("tokens")
        self.certificate, self.key = directory + "/cert.pem", directory + "/key.pem"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=token server", "-keyout",
                self.key, "-out", self.certificate)
        self.der = base64.b64encode(openssl("x509", "-in", self.certificate, "-outform", "DER")).decode()
        self.asked = []  # (method, parameters)
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
                given = self.headers.get("Authorization", "")
                wanted = "Basic " + base64.b64encode(("%s:%s" % (USER, PASSWORD)).encode()).decode()
                self.grant(query, given == wanted, bool(given) and given != wanted)

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                known = form.get("refresh_token") == [TokenServer.REFRESH] and form["grant_type"] == ["refresh_token"]
                self.grant({"scope": form["scope"][0].split(" "), "service": form["service"]}, known, not known)

            def grant(self, parameters, known, refused):
                owner.asked.append((self.command, parameters))
                status, reply = 200, {}
                if refused or parameters.get("service") != [SERVICE]:
                    status, reply = 401, {"details": "wrong password"}
                else:
                    token = owner.token(parameters.get("scope", []), known)
                    reply = {"access_token" if self.command == "POST" else "token": token, "expires_in": 300}
                data = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/token" % server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        case.at_end(lambda: (server.shutdown(), server.server_close()))

    def token(self, scopes, known):
        """A JSON web token for what the asker may have of the scopes."""
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            allowed = [action for action in actions.split(",")
                       if known or (action == "pull" and name.startswith("public/"))]
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self.der]}
        claims = {"iss": ISSUER, "sub": USER if known else "", "aud": SERVICE, "exp": now + 300, "nbf": now - 60,
                  "iat": now - 60, "jti": os.urandom(8).hex(), "access": access}
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        signature = openssl("dgst", "-sha256", "-sign", self.key, data=signed)
        return (signed + b"." + _encoded(signature)).decode()


def _encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def docker_config(case, value):
    """A directory with docker's config.json; for $DOCKER_CONFIG."""
    directory = case.new_directory("docker")
    with open(os.path.join(directory, "config.json"), "w") as f:
        json.dump(value, f)
    return {"DOCKER_CONFIG": directory}


def basic(password=PASSWORD):
    return {"auth": base64.b64encode(("%s:%s" % (USER, password)).encode()).decode()}
