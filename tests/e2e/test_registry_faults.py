"""Registries and networks that fail: what may pass is tried again, what does not is said, nothing wrong is kept."""
import re
import subprocess

from registry import CORRUPT, DROP, SLOW, Front, Registry, answer, by_seed, cut, cut_upload
from support import BOTH, HOST, expect, expect_equal

PASSING = [DROP, answer(500), answer(502), answer(503, Retry_After="0"), answer(429, Retry_After="1")]


def blobs_in(case):
    return subprocess.run("cd %s/blobs/sha256 && sha256sum *" % case.root, shell=True, stdout=subprocess.PIPE,
                          text=True).stdout.splitlines()


def check_store(case):
    """No blob has another name than its digest, none is half."""
    for line in blobs_in(case):
        digest, name = line.split()
        expect_equal(name, digest, "a blob of the store")


def test_pull_through_faults(case):
    server = Registry(case)
    base = server.put_base()
    case.dockerfile("FROM " + base, "RUN echo $((6 * 7)) > /x")
    wanted = case.build(root=case.dir + "/plain").file("x")
    for seed in range(3):
        front = Front(server, by_seed(seed, ("manifest", "blob"), PASSING + [cut(1000), cut(100000), CORRUPT, SLOW], 2))
        case.dockerfile("FROM " + base.replace(server.host, front.host), "RUN echo $((6 * 7)) > /x")
        expect_equal(case.build(root="%s/store-%d" % (case.dir, seed)).file("x"), wanted)
        expect(len(front.take()) > 4, "no fault was made")
        case.root = "%s/store-%d" % (case.dir, seed)
        check_store(case)


def test_push_through_faults(case):
    server = Registry(case)
    case.write("big", b"".join(b"%d\n" % (n * n) for n in range(200000)))
    for seed in range(3):
        front = Front(server, by_seed(seed, ("manifest", "blob", "upload"), PASSING + [cut_upload(5000)]))
        case.dockerfile("FROM scratch", "COPY big /big", "LABEL seed=%d" % seed)
        case.build("-t", "%s/team/app-%d:v1" % (front.host, seed), "--push", export=False, platforms=BOTH,
                   root="%s/store-%d" % (case.dir, seed))
        image = server.image("team/app-%d:v1" % seed)
        for name in BOTH:
            expect("big" in image.tree(name))


def test_a_slow_download_is_shown(case):
    server = Registry(case)
    base = server.put_base()
    front = Front(server, lambda r: SLOW if r.kind == "blob" and r.method == "GET" else None)
    reference = base.replace(server.host, front.host)
    case.dockerfile("FROM " + reference, "RUN echo x > /x")
    text = case.build().text
    vertex = re.search(r"^(#\d+) pull from %s$" % re.escape(reference.rsplit(":", 1)[0]), text, re.M)
    expect(vertex, "no word of the download")
    lines = [line for line in text.splitlines() if line.startswith(vertex[1] + " sha256:")]
    expect(any(" / " in line for line in lines) and any(line.endswith(" done") for line in lines), "no sizes", lines)
    expect(re.search("^%s DONE" % vertex[1], text, re.M), "the download does not end")


def test_an_interrupted_download_goes_on_where_it_stopped(case):
    server = Registry(case)
    base = server.put_base()
    front = Front(server, lambda r: cut(300000) if r.kind == "blob" and r.method == "GET" and r.nth == 0 else None)
    case.dockerfile("FROM " + base.replace(server.host, front.host), "RUN echo x > /x")
    case.build()
    ranges = [r.headers["Range"] for r in front.take() if r.method == "GET" and r.kind == "blob" and r.nth > 0]
    expect_equal(ranges, ["bytes=300000-"])


def test_a_registry_that_stays_broken_is_said_to_be(case):
    server = Registry(case)
    base = server.put_base()
    front = Front(server)
    case.dockerfile("FROM " + base.replace(server.host, front.host), "RUN echo x > /x")
    front.rule = lambda r: answer(503, Retry_After="0")
    case.fails(status=3, says=["503", "try again later", front.host])
    front.rule = lambda r: CORRUPT if r.kind == "blob" else None
    case.fails(status=3, says=["digest mismatch", "nothing of them was used"])
    check_store(case)
    front.rule = lambda r: DROP if r.method == "PUT" and r.kind == "manifest" else None
    case.fails("-t", front.host + "/team/app:v1", "--push", export=False, status=3, says=["team/app", "try again"])
    expect_equal(server.tags("team/app"), [], "tags of a push that failed")
    front.rule = lambda r: answer(429, Retry_After="3600")
    case.fails(root=case.dir + "/new", status=3, says=["429", "docker login"])


def test_an_upload_session_that_is_refused_is_made_anew(case):
    server = Registry(case)
    case.write("big", b"".join(b"%d\n" % (n * n) for n in range(200000)))
    case.dockerfile("FROM scratch", "COPY big /big")
    for status in (416, 404):
        front = Front(server, lambda r, status=status: answer(status) if r.method == "PUT" and r.kind == "upload" and
                      r.nth == 0 else None)
        name = "%s/team/app-%d:v1" % (front.host, status)
        case.build("-t", name, "--push", export=False)
        expect("big" in server.image("team/app-%d:v1" % status).tree(HOST))


def test_what_a_registry_does_not_take_names_what_to_set(case):
    server = Registry(case)
    case.dockerfile("FROM scratch", "COPY Dockerfile /")

    def refuses(method, kind, status):
        front = Front(server, lambda r: answer(status) if r.method == method and r.kind == kind else None)
        return front.host, ("-t", front.host + "/team/refused:v1", "--push")
    host, flags = refuses("PUT", "upload", 413)
    case.fails(*flags, export=False, status=3, says=["413", "`chunk-size`", '[registry."%s"]' % host])
    host, flags = refuses("PUT", "manifest", 415)
    case.fails(*flags, export=False, status=3, says=["415", "oci-mediatypes=false"])
    case.fails("--cache-to", "type=registry,ref=%s/team/cache" % host, export=False, status=3,
               says=["415", "type=inline", "ignore-error=true"])
    case.build("--cache-to", "type=registry,ignore-error=true,ref=%s/team/cache" % host, export=False)


def test_waiting_is_shown(case):
    server = Registry(case)
    base = server.put_base()
    front = Front(server, lambda r: answer(429, Retry_After="1") if r.kind == "manifest" and r.nth == 0 else None)
    case.dockerfile("FROM " + base.replace(server.host, front.host), "RUN echo x > /x")
    text = case.build().text
    expect("429" in text and "next attempt in 1." in text, "the wait is not shown")


def test_credentials_stay_with_their_registry(case):
    """A registry that sends downloads elsewhere does not send the password along."""
    from registry import basic, docker_config
    server = Registry(case, password=True)
    base = server.put_base()
    front, other = Front(server), Front(server)
    seen = []

    def elsewhere(request):
        if request.kind == "blob" and request.method == "GET":
            return 307, {"Location": "http://localhost:%s%s" % (other.host.split(":")[1], request.path)}, b""
        return None

    def bare(request):
        seen.append(request.headers.get("Authorization"))
        return 401, {"Content-Type": "text/plain"}, b"no"
    front.replace, other.replace = elsewhere, bare
    case.dockerfile("FROM " + base.replace(server.host, front.host), "RUN true")
    case.fails(status=3, env=docker_config(case, {"auths": {front.host: basic()}}))
    expect(seen and not any(seen), "what the other host was sent:", seen)
