"""Images as registries have them: their forms, their platforms, and what is wrong with them."""
import gzip
import hashlib
import json
import subprocess

import oci
from registry import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Front, Registry
from support import FOREIGN, HOST, expect_equal, quick

DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_TAR = "application/vnd.oci.image.layer.v1.tar"


def architecture(platform):
    return platform.split("/")[1]


class Maker:
    """Puts images together on a registry, right or wrong."""

    def __init__(self, server, repository="team/base"):
        self.server, self.repository = server, repository

    def layer(self, text, media_type=oci.LAYER, compress=lambda data: gzip.compress(data, 1)):
        """A layer with one file that has its name as content: (descriptor, diff id)."""
        layer = oci.Layer()
        layer.file(text, text)
        raw = layer.tar()
        descriptor = self.server.put_blob(self.repository, compress(raw))
        return dict(descriptor, mediaType=media_type), "sha256:" + hashlib.sha256(raw).hexdigest()

    def manifest(self, layers, platform=HOST, config=None, media_type=OCI_MANIFEST, config_type=oci.CONFIG):
        os_name, arch, variant = (platform.split("/") + [""])[:3]
        value = {"os": os_name, "architecture": arch, "config": {},
                 "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]}}
        if variant:
            value["variant"] = variant
        value.update(config or {})
        blob = self.server.put_blob(self.repository, json.dumps(value).encode())
        return {"schemaVersion": 2, "mediaType": media_type, "config": dict(blob, mediaType=config_type),
                "layers": [descriptor for descriptor, _ in layers]}

    def put(self, value, tag="v1", media_type=None):
        return self.server.put_manifest(self.repository, tag, value, media_type or value["mediaType"])

    def index(self, platforms, tag="v1", media_type=OCI_INDEX):
        """An index of images that have a file with the platform's name (- instead of /)."""
        manifests = []
        for platform in platforms:
            layer = self.layer(platform.replace("/", "-"))
            put = self.put(self.manifest([layer], platform), "only-" + platform.replace("/", "-"))
            os_name, arch, variant = (platform.split("/") + [""])[:3]
            name = {"os": os_name, "architecture": arch}
            manifests.append(dict(put, platform=dict(name, variant=variant) if variant else name))
        return self.put({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}, tag)

    @property
    def name(self):
        return "%s/%s" % (self.server.host, self.repository)


def pull(case, name, platform=HOST, root=None):
    """The files of an image that mbuild has pulled and unpacked."""
    case.dockerfile("FROM " + name)
    output = case.new_directory("files")
    case.build("-o", output, export=False, platforms=(platform,), root=root)
    return sorted(subprocess.run(["find", ".", "-type", "f", "-printf", "%P\n"], cwd=output, check=True,
                                 stdout=subprocess.PIPE, text=True).stdout.split())


@quick
def test_forms_of_manifests_and_layers(case):
    make = Maker(Registry(case))
    layers = [make.layer("a"), make.layer("b", OCI_TAR + "+zstd", zstd), make.layer("c", OCI_TAR, lambda data: data),
              make.layer("d", DOCKER_LAYER)]
    expect_equal(pull(case, "%s@%s" % (make.name, make.put(make.manifest(layers))["digest"])), ["a", "b", "c", "d"])
    docker = make.manifest([make.layer("e", DOCKER_LAYER)], media_type=DOCKER_MANIFEST, config_type=DOCKER_CONFIG)
    expect_equal(pull(case, make.name + "@" + make.put(docker, "docker")["digest"]), ["e"])
    put = make.put(docker, "docker")
    make.put({"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests":
              [dict(put, platform={"os": "linux", "architecture": architecture(HOST)})]}, "list")
    expect_equal(pull(case, make.name + ":list"), ["e"])
    inner = make.put({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests":
                      [dict(put, platform={"os": "linux", "architecture": architecture(HOST)})]}, "inner")
    make.put({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [inner]}, "nested")
    expect_equal(pull(case, make.name + ":nested"), ["e"])


def zstd(data):
    return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout


def test_tag_and_digest(case):
    """Of a tag and a digest the digest counts; the tag need not be there."""
    make = Maker(Registry(case))
    digest = make.put(make.manifest([make.layer("a")]))["digest"]
    make.put(make.manifest([make.layer("b")]))
    expect_equal(pull(case, "%s:v1@%s" % (make.name, digest)), ["a"])
    expect_equal(pull(case, "%s:gone@%s" % (make.name, digest)), ["a"])
    expect_equal(pull(case, make.name + ":v1"), ["b"])


def test_platforms_and_variants(case):
    make = Maker(Registry(case))
    make.index(["linux/arm/v6", "linux/arm/v7", "linux/arm64/v8", "linux/amd64", "linux/386"])
    for wanted, found in (("linux/arm64", "linux-arm64-v8"), ("linux/arm64/v8", "linux-arm64-v8"),
                          ("linux/arm", "linux-arm-v7"), ("linux/arm/v6", "linux-arm-v6"),
                          ("linux/amd64/v3", "linux-amd64"), ("linux/x86_64", "linux-amd64")):
        expect_equal(pull(case, make.name + ":v1", wanted), [found], wanted)
    case.dockerfile("FROM " + make.name + ":v1")
    case.fails(platforms=("linux/s390x",), status=2,
               says=["no image for linux/s390x", "linux/arm/v6", "linux/arm/v7", "linux/arm64", "linux/amd64", "linux/386"])
    case.fails(platforms=("linux/arm/v5",), status=2, says=["no image for linux/arm/v5"])


def test_a_single_image_of_another_platform_is_taken_as_meant(case):
    make = Maker(Registry(case))
    make.put(make.manifest([make.layer("a")], FOREIGN))
    expect_equal(pull(case, make.name + ":v1"), ["a"])


def test_what_does_not_fit_together(case):
    server = Registry(case)
    make = Maker(server)
    layer, diff_id = make.layer("a")
    _, other_id = make.layer("b")
    wrong = [
        (make.manifest([(dict(layer, size=layer["size"] + 1), diff_id)]), "bytes"),
        (make.manifest([(dict(layer, size=layer["size"] - 1), diff_id)]), "bytes"),
        (make.manifest([(layer, other_id)]), "diff id"),
        (make.manifest([(layer, diff_id)], config={"rootfs": {"type": "layers", "diff_ids": []}}), "1 layers"),
        (make.manifest([(dict(layer, mediaType="application/x-thing"), diff_id)]), "application/x-thing"),
    ]
    right = make.manifest([(layer, diff_id)])
    wrong.append((dict(right, config=dict(right["config"], size=1)), "bytes"))
    for value, says in wrong:
        make.put(value)
        case.dockerfile("FROM " + make.name + ":v1", "RUN true")
        case.fails(status=3, says=[make.name, says])
        expect_equal(layers_in_store(case), [], "layers in the store")


def layers_in_store(case):
    return subprocess.run("ls -d %s/fs/*/layers/* 2>/dev/null" % case.root, shell=True, stdout=subprocess.PIPE,
                          text=True).stdout.split()


def test_schema_version_1_and_things_that_are_no_images(case):
    server = Registry(case)
    make = Maker(server)
    old = {"schemaVersion": 1, "name": "team/base", "tag": "v1", "architecture": "amd64", "fsLayers": [], "history": []}
    documents = {"old": (old, "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema version 1"),
                 "odd": (old, "application/json", "schema version 1"),
                 "html": ("<html>", "text/html", "no manifest"),
                 "other": ({"schemaVersion": 2}, "application/vnd.example+json", "application/vnd.example+json")}
    front = Front(server)
    for tag, (value, media_type, says) in documents.items():
        text = value if isinstance(value, str) else json.dumps(value)
        front.replace = lambda request, text=text, media_type=media_type: (200, {
            "Content-Type": media_type, "Docker-Content-Digest": "sha256:" + hashlib.sha256(text.encode()).hexdigest()},
            text.encode()) if request.kind == "manifest" else None
        case.dockerfile("FROM %s/team/base:%s" % (front.host, tag))
        case.fails(status=3, says=["team/base:" + tag, says])
    make.put(make.manifest([make.layer("a")]), "v1")
    case.dockerfile("FROM %s:v2" % make.name)
    case.fails(status=3, says=["team/base:v2", "not found"])


def test_references(case):
    for name, says in (("team/Upper", "must be lowercase"), ("a:tag:b", "invalid reference format"),
                       ("team//app", "invalid reference format"), ("host:port/app", "invalid reference format"),
                       ("app@sha256:12", "invalid reference format"), ("a" * 256, "255")):
        case.dockerfile("FROM " + name)
        case.fails(status=2, says=[says])
    # IPv6: nobody listens at this port of the loopback address, and the message says so.
    case.dockerfile("FROM [::1]:1/team/app:v1")
    case.fails(status=3, says=["[::1]:1/team/app:v1", "connect"])


def test_a_layer_with_hard_links_into_the_layers_below(case):
    """A tar may link to a file that only a lower layer has."""
    make = Maker(Registry(case))
    below = make.layer("a")
    above = oci.Layer()
    above.add("b", oci.tarfile.LNKTYPE, link="a")
    raw = above.tar()
    descriptor = dict(make.server.put_blob(make.repository, gzip.compress(raw)), mediaType=oci.LAYER)
    top = make.layer("c")
    make.put(make.manifest([below, (descriptor, "sha256:" + hashlib.sha256(raw).hexdigest()), top]))
    expect_equal(pull(case, make.name + ":v1"), ["a", "b", "c"])
