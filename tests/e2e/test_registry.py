"""Pull from and push to a real registry: what arrives there, and what is not sent or fetched."""
import json
import os

from registry import DOCKER_MANIFEST, OCI_MANIFEST, Front, Registry, answer
from support import BOTH, FOREIGN, HOST, MACHINE, expect, expect_equal, quick


def push(case, *names, **options):
    tags = [word for name in names for word in ("-t", name)]
    return case.build(*tags, "--push", *options.pop("flags", ()), export=False, **options)


def of(requests, method, kind):
    return [r for r in requests if r.method == method and r.kind == kind]


def uploads(requests):
    return [r for r in requests if r.kind == "upload"]


@quick
def test_push_for_two_platforms(case):
    server = Registry(case)
    base = server.put_base()
    case.write("a.txt", "from the context\n")
    case.dockerfile("FROM " + base, "COPY a.txt /a.txt", "RUN uname -m > /machine", 'LABEL made=here')
    push(case, server.host + "/team/app:v1", platforms=BOTH)
    image = server.image("team/app:v1")
    expect_equal(sorted(image.layout.images()), sorted(BOTH))
    for name in BOTH:
        expect_equal(image.file("machine", name), MACHINE[name])
        expect_equal(image.file("a.txt", name), "from the context")
        expect_equal(image.layout.images()[name][2]["config"]["Labels"], {"made": "here"})


def test_push_again_sends_nothing(case):
    server = Registry(case)
    base = server.put_base()
    front = Front(server)
    case.write("a.txt", "text\n")
    case.dockerfile("FROM %s" % base.replace(server.host, front.host), "COPY a.txt /")
    push(case, front.host + "/team/app:v1", platforms=BOTH)
    first = front.take()
    expect(uploads(first), "the first push uploads")
    # The base's layers are on the registry already: mounted, not fetched and not sent.
    expect(all("from=base" in r.path for r in uploads(first) if r.method == "POST" and "mount=" in r.path), first)
    push(case, front.host + "/team/app:v1", platforms=BOTH)
    again = front.take()
    expect_equal({r.method for r in again} - {"GET", "HEAD"}, set(), "a push that has nothing new does more than ask")
    expect_equal(of(again, "GET", "blob"), [], "blobs fetched")
    # A new store has no record of what is there, the registry has.
    push(case, front.host + "/team/app:v1", platforms=BOTH, root=case.dir + "/other")
    expect_equal([r for r in uploads(front.take()) if r.method in ("PUT", "PATCH") and r.status == 201], [],
                 "blobs stored by a push of an equal image")


def test_a_large_layer_is_sent_while_it_is_compressed(case):
    """And is given up when it turns out that the registry has it."""
    server = Registry(case)
    front = Front(server)
    case.write("big", os.urandom(12 << 20))
    case.write("small", "x")
    case.dockerfile("FROM scratch", "COPY big /big", "COPY small /small")
    push(case, front.host + "/team/app:v1")
    first = front.take()
    expect_equal(len([r for r in uploads(first) if r.method == "PATCH"]), 1, "uploads without a digest")
    expect_equal(len([r for r in uploads(first) if r.method == "PUT"]), 3, "uploads: two layers and the config")
    expect(len(server.image("team/app:v1").tree(HOST)["big"].data) == 12 << 20, "the layer is not whole")
    push(case, front.host + "/team/app:v2", root=case.dir + "/other")
    expect_equal([r for r in uploads(front.take()) if r.method == "PUT"], [], "blobs stored again")
    expect_equal(server.tags("team/app"), ["v1", "v2"])
    # What goes wrong with it is made good by the push.
    server = Registry(case)
    front = Front(server, lambda r: answer(400) if r.method == "PATCH" else None)
    push(case, front.host + "/team/app:v1", root=case.dir + "/third")
    expect("big" in server.image("team/app:v1").tree(HOST))


def test_layers_of_the_base_are_fetched_only_when_a_step_needs_them(case):
    server = Registry(case)
    base = server.put_base()
    front = Front(server)
    layer = json.loads(server.request("GET", "/v2/base/busybox/manifests/latest")[2])["manifests"]
    layer = [m for m in layer if m["platform"]["architecture"] == HOST.split("/")[1]][0]["digest"]
    layer = json.loads(server.request("GET", "/v2/base/busybox/manifests/" + layer)[2])["layers"][0]["digest"]
    case.write("a.txt", "text\n")
    name = base.replace(server.host, front.host)
    case.dockerfile("FROM " + name, "ENV A=b", "CMD [\"true\"]")
    push(case, front.host + "/team/app:v1")
    expect_equal([r for r in of(front.take(), "GET", "blob") if layer in r.path], [], "layers fetched without need")
    case.dockerfile("FROM " + name, "RUN true")
    push(case, front.host + "/team/app:v2")
    expect_equal(len([r for r in of(front.take(), "GET", "blob") if layer in r.path]), 1, "the layer is fetched once")
    case.dockerfile("FROM " + name, "RUN echo other")
    push(case, front.host + "/team/app:v3")
    expect_equal(of(front.take(), "GET", "blob"), [], "what was fetched stays")


def test_a_known_manifest_is_not_fetched_again(case):
    server = Registry(case)
    base = server.put_base()
    front = Front(server)
    case.dockerfile("FROM " + base.replace(server.host, front.host), "RUN true")
    case.build(export=False)
    front.take()
    case.build(export=False)
    expect_equal([r.method for r in front.take() if r.kind != "other"], ["HEAD"], "requests of a cached build")
    digest = server.request("HEAD", "/v2/base/busybox/manifests/latest")[1]["Docker-Content-Digest"]
    case.dockerfile("FROM %s/base/busybox@%s" % (front.host, digest), "RUN true")
    case.build(export=False)
    expect_equal(front.take(), [], "requests for a digest that the store has")


def test_the_pushed_image_is_a_base(case):
    server = Registry(case)
    case.dockerfile("FROM " + server.put_base(), "RUN mkdir /made && echo one > /made/one && rm /bin/sed",
                    "ENV GREETING=hello")
    push(case, server.host + "/team/base:v1", platforms=BOTH)
    case.dockerfile("FROM %s/team/base:v1" % server.host,
                    "RUN echo $GREETING > /made/two; ls /bin/sed || echo gone > /made/three")
    image = case.build(platforms=BOTH, root=case.dir + "/other")
    for name in BOTH:
        expect_equal([image.file("made/" + f, name) for f in ("one", "two", "three")], ["one", "hello", "gone"])
        expect("bin/sed" not in image.tree(name), "the whiteout of the pulled layer holds")


def test_several_names_at_once(case):
    server = Registry(case)
    front = Front(server)
    base = server.put_base()
    case.write("big", b"".join(b"%d\n" % n for n in range(100000)))
    case.dockerfile("FROM " + base, "COPY big /big")
    names = ["team/app:v1", "team/app:latest", "other/app:v1"]
    push(case, *["%s/%s" % (front.host, name) for name in names], platforms=BOTH)
    digests = {server.request("HEAD", "/v2/%s/manifests/%s" % tuple(name.split(":")))[1]["Docker-Content-Digest"]
               for name in names}
    expect_equal(len(digests), 1, "digests of the names")
    stored = {r.path.split("/blobs/")[0] for r in front.take() if r.method == "PUT" and r.kind == "upload"}
    expect_equal(len(stored), 1, "repositories with uploads: what one has is mounted in the other")


def test_push_by_digest(case):
    server = Registry(case)
    case.dockerfile("FROM " + server.put_base(), "RUN echo x > /x")
    metadata = case.dir + "/metadata.json"
    flags = ("-o", "type=image,name=%s/team/app,push=true,push-by-digest=true" % server.host, "--metadata-file",
             metadata)
    case.build(*flags, export=False, platforms=BOTH)
    with open(metadata) as f:
        digest = json.load(f)["containerimage.digest"]
    expect_equal(server.tags("team/app"), [])
    expect_equal(server.image("team/app@" + digest).file("x", FOREIGN), "x")
    case.fails("-o", "type=image,name=%s/team/app:v1,push=true,push-by-digest=true" % server.host, export=False,
               status=2, says=["can't push tagged ref", "by digest"])


def test_a_name_with_a_digest_is_no_name_to_push_to(case):
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.fails("-t", "127.0.0.1:1/team/app@sha256:" + "0" * 64, "--push", export=False, status=2, says=["digest"])


def test_other_compressions_and_media_types(case):
    server = Registry(case)
    base = server.put_base()
    case.dockerfile("FROM " + base, "RUN echo x > /x")
    for attributes, layer, manifest in (
            ("compression=zstd", "application/vnd.oci.image.layer.v1.tar+zstd", OCI_MANIFEST),
            ("compression=uncompressed", "application/vnd.oci.image.layer.v1.tar", OCI_MANIFEST),
            ("oci-mediatypes=false", "application/vnd.docker.image.rootfs.diff.tar.gzip", DOCKER_MANIFEST)):
        case.build("-o", "type=registry,name=%s/team/app:v1,%s" % (server.host, attributes), export=False)
        status, headers, text = server.request("GET", "/v2/team/app/manifests/v1")
        expect_equal((status, headers["Content-Type"]), (200, manifest))
        expect_equal(json.loads(text)["layers"][-1]["mediaType"], layer)
        case.check("skopeo", "inspect", "--tls-verify=false", "docker://%s/team/app:v1" % server.host)
        case.dockerfile("FROM %s/team/app:v1" % server.host, "RUN cat /x > /y")
        expect_equal(case.build(root=case.dir + "/other-" + attributes).file("y"), "x")
        case.dockerfile("FROM " + base, "RUN echo x > /x")
