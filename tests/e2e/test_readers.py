"""Other programs read what mbuild writes."""
import json
import os

from support import BOTH, FOREIGN, HOST, MACHINE, expect_equal


def image(case):
    case.write("data", "data\n")
    case.dockerfile("FROM busybox", "COPY data /data", "RUN rm /bin/wget && rm -r /srv && mkdir /srv && touch /srv/new",
                    'ENTRYPOINT ["/bin/cat"]', 'CMD ["/data"]')
    build = case.build("-t", "example.test/app:1", platforms=BOTH)
    layout = os.path.join(case.dir, "layout")
    os.mkdir(layout)
    case.check("tar", "-xf", build.output, "-C", layout)
    return build, layout, build.layout.index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]


def test_skopeo(case):
    case.needs("skopeo")
    build, layout, name = image(case)
    for platform in BOTH:
        os_name, architecture = platform.split("/")
        text = case.check("skopeo", "inspect", "--override-os", os_name, "--override-arch", architecture,
                          "oci:%s:%s" % (layout, name))
        facts = json.loads(text)
        expect_equal((facts["Os"], facts["Architecture"]), (os_name, architecture))
        expect_equal(facts["Layers"], build.layers(platform))
    case.check("skopeo", "--insecure-policy", "copy", "--all", "oci:%s:%s" % (layout, name), "dir:" + case.dir + "/copy")
    case.check("skopeo", "--insecure-policy", "copy", "--all", "oci-archive:" + build.output, "dir:" + case.dir + "/again")


def test_umoci(case):
    case.needs("umoci")
    case.needs("skopeo")
    build, layout, name = image(case)
    single = os.path.join(case.dir, "single")
    os_name, architecture = FOREIGN.split("/")
    case.check("skopeo", "--insecure-policy", "--override-os", os_name, "--override-arch", architecture, "copy",
               "oci:%s:%s" % (layout, name), "oci:%s:app" % single)
    case.check("umoci", "stat", "--image", single + ":app")
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    bundle = os.path.join(case.dir, "bundle")
    case.check("umoci", "unpack", *rootless, "--image", single + ":app", bundle)
    found = set(os.listdir(os.path.join(bundle, "rootfs")))
    wanted = {path for path in build.tree(FOREIGN) if "/" not in path}
    expect_equal(sorted(found), sorted(wanted))
    expect_equal(os.listdir(os.path.join(bundle, "rootfs", "srv")), ["new"])
    expect_equal(os.path.lexists(os.path.join(bundle, "rootfs", "bin", "wget")), False)


def test_buildah(case):
    case.needs("buildah")
    _, _, name = image(case)
    storage = ["buildah", "--storage-driver", "vfs", "--root", case.dir + "/b", "--runroot", case.dir + "/r"]
    for platform in BOTH:
        architecture = platform.split("/")[1]
        text = case.check(*storage, "pull", "--quiet", "--policy", "always", "--arch", architecture,
                          "oci:layout:" + name)
        facts = json.loads(case.check(*storage, "inspect", "--type", "image", text.split()[-1]))
        expect_equal(facts["OCIv1"]["architecture"], architecture)
        expect_equal(facts["OCIv1"]["config"]["Entrypoint"], ["/bin/cat"])


def test_build_from_own_layout(case):
    """The output of one build is the base of the next."""
    _, layout, name = image(case)
    case.dockerfile("FROM app", "RUN cat /data > /copy && uname -m >> /copy && ls /srv >> /copy")
    build = case.build("--build-context", "app=oci-layout://%s:%s" % (layout, name), platforms=BOTH)
    for platform in BOTH:
        expect_equal(build.file("copy", platform), "data\n%s\nnew" % MACHINE[platform])
    expect_equal(HOST in build.digests(), True)


def test_every_compression(case):
    """The same files for skopeo and umoci, however the layers are packed."""
    case.needs("skopeo", "umoci")
    case.write("data", os.urandom(100000).hex())
    case.dockerfile("FROM busybox", "COPY data /data")
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    for name, attributes in (("gzip", ""), ("zstd", ",compression=zstd,force-compression=true"),
                             ("plain", ",compression=uncompressed,force-compression=true"),
                             ("level", ",compression-level=9")):
        layout = os.path.join(case.dir, name)
        case.build("-t", "app:1", "-o", "type=oci,tar=false,dest=%s%s" % (layout, attributes), export=False)
        copy = os.path.join(case.dir, name + "-copy")  # umoci reads OCI's media types, gzip and no compression
        case.check("skopeo", "--insecure-policy", "copy", "-q", "--format", "oci", "--dest-compress-format", "gzip",
                   "--dest-compress", "oci:%s:1" % layout, "oci:%s:1" % copy)
        case.check("umoci", "unpack", *rootless, "--image", copy + ":1", copy + "-bundle")
        case.check("cmp", os.path.join(case.context, "data"), copy + "-bundle/rootfs/data")


def test_podman(case):
    """What -o type=docker and type=oci write, loaded and run through podman's own storage."""
    case.needs_root()
    case.needs("podman")
    case.write("data", "data\n")
    case.dockerfile("FROM busybox", "COPY data /data", 'ENTRYPOINT ["/bin/cat"]', "LABEL a=b")
    storage = ["podman", "--storage-driver", "vfs", "--root", case.dir + "/p", "--runroot", case.dir + "/r"]
    for kind in ("docker", "oci"):
        archive = "%s/%s.tar" % (case.dir, kind)
        case.build("-t", "example.test/%s:1" % kind, "-o", "type=%s,dest=%s" % (kind, archive), export=False)
        case.check(*storage, "load", "--quiet", "--input", archive)
        facts = json.loads(case.check(*storage, "image", "inspect", "example.test/%s:1" % kind))[0]
        expect_equal((facts["Config"]["Entrypoint"], facts["Labels"], facts["Architecture"]),
                     (["/bin/cat"], {"a": "b"}, HOST.split("/")[1]))
        mounted = case.check(*storage, "image", "mount", "example.test/%s:1" % kind).strip()
        with open(mounted + "/data") as f:
            expect_equal(f.read(), "data\n")
        case.check(*storage, "image", "unmount", "example.test/%s:1" % kind)
