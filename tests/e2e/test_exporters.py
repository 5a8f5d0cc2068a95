"""Every exporter and every attribute of it, read back."""
import json
import os
import pathlib
import stat
import tarfile

import oci
from support import BOTH, HOST, expect, expect_equal, quick

ANNOTATIONS = "annotations"


def simple(case, *more):
    case.write("data", "data\n" * 1000)
    case.dockerfile("FROM busybox", "COPY data /data", *more)


def attributes(case, text, *arguments, **options):
    """Builds to a file with these attributes; the tar's path."""
    output = case.next_output()
    case.build("-o", "type=oci,dest=%s,%s" % (output, text), *arguments, export=False, **options)
    return oci.Layout(output)


def new_layer(layout, platform_name=HOST):
    return layout.images()[platform_name][1]["layers"][-1]


def test_compression(case):
    """gzip, zstd and none, levels, and base layers only where that is forced."""
    simple(case)
    kinds = {"gzip": ".tar+gzip", "zstd": ".tar+zstd", "uncompressed": ".tar"}
    config = None
    for name, ending in kinds.items():
        layout = attributes(case, "compression=" + name)
        descriptor, manifest, image = layout.images()[HOST]
        types = [layer["mediaType"] for layer in manifest["layers"]]
        expect(types[-1].endswith(ending), types)
        expect(all(t.endswith(".tar+gzip") for t in types[:-1]), "a base layer was compressed anew:", types)
        config = config or manifest["config"]["digest"]
        expect_equal(manifest["config"]["digest"], config, "compression changes nothing in the image")
        expect_equal(layout.tree(manifest)["data"].data, b"data\n" * 1000)
        forced = attributes(case, "compression=%s,force-compression=true" % name).images()[HOST][1]
        expect(all(layer["mediaType"].endswith(ending) for layer in forced["layers"]), "not forced")
    sizes = [new_layer(attributes(case, "compression=zstd,compression-level=%d" % level))["size"] for level in (1, 19)]
    expect(sizes[0] != sizes[1], "the level has no effect:", sizes)


def test_archive_bytes(case):
    """An archive is the same whether its layers were compressed beside it or before, whatever it is written to. The
    layers are of different sizes: the first is made last."""
    case.write("small", "small\n")
    case.write("large", os.urandom(24 << 20))
    case.dockerfile("FROM busybox", "COPY large /large", "COPY small /a", "COPY small /b", "RUN cp /a /c",
                    "FROM busybox AS twice", "COPY --from=0 /large /large", "COPY small /a", "RUN cp /a /c")
    piped = ["sh", "-c", 'to=$1; shift; "$@" | cat > "$to"', "-"]
    for kind, platforms in (("oci", BOTH), ("docker", (HOST,))):
        options = {"platforms": platforms, "export": False, "root": case.new_directory("store")}
        files = [case.next_output() for _ in range(3)]
        for output in files[:2]:  # compressed now; compressed before
            case.build("-o", "type=%s,dest=%s" % (kind, output), **options)
        case.build("-o", "type=%s,dest=-" % kind, prefix=piped + files[2:], **options)
        contents = [pathlib.Path(name).read_bytes() for name in files]
        expect(contents[0] == contents[1], "another archive where nothing had to be compressed")
        expect(contents[0] == contents[2], "another archive on standard output")
        expect(not [name for name in os.listdir(case.dir) if name.endswith(".partial")], "a part is left")
        layout = oci.Layout(files[0])
        expect_equal(len(layout.tree(layout.images()[HOST][1])["large"].data), 24 << 20)


def test_archive_that_cannot_be_written(case):
    """A device that takes nothing, a directory that is missing, a disk that is full while layers are compressed: no
    half of one is left."""
    case.write("large", os.urandom(16 << 20))
    case.dockerfile("FROM busybox", "COPY large /large")
    case.fails("-o", "type=oci,dest=/dev/full", says=["No space left on device"], status=4, export=False)
    expect(stat.S_ISCHR(os.stat("/dev/full").st_mode), "the device was replaced")
    case.fails("-o", "type=oci,dest=none/out.tar", says=["none/out.tar", "No such file"], status=4, export=False)
    case.needs("unshare", "mount")
    case.needs_root()
    small = case.new_directory("small")
    script = 'mount -t tmpfs -o size=8m none %s && "$@"; status=$?; echo left: $(ls %s); exit $status' % (small, small)
    case.fails("-o", "type=oci,dest=%s/out.tar" % small, says=["No space left on device", "left:\n"], status=4,
               export=False, prefix=["unshare", "-m", "sh", "-c", script, "-"])
    case.build()


@quick
def test_refused(case):
    simple(case)
    for text, phrase in (("type=oci,dest=x,compression=estargz", "eStargz"),
                         ("type=oci,dest=x,compression=zstd,oci-mediatypes=false", "conflicts with"),
                         ("type=oci,dest=x,compression-level=11", "invalid compression-level"),
                         ("type=nothing", 'exporter "nothing" could not be found'),
                         ("type=local", "dest is required for local exporter"),
                         ("type=oci,tar=false", "dest is required for oci exporter"),
                         ("type=registry", "tag is needed when pushing to registry"),
                         ("type=local,dest=x,mode=move", "invalid local exporter mode"),
                         ("type=oci,dest=x,annotation-index.k=v", "index annotations not supported"),
                         ("type=local,dest=/elsewhere,mode=delete", "--allow buildx.local.delete")):
        case.fails("-o", text, export=False, status=2, says=[phrase])
    case.fails("-o", "-", "-o", "type=oci", export=False, status=2,
               says=["multiple outputs configured to write to stdout"])
    case.fails("--annotation", "manifest[linux/s390x]:k=v", status=2, says=["no platform linux/s390x found"])


def test_media_types(case):
    simple(case)
    manifest = attributes(case, "oci-mediatypes=false", platforms=BOTH)
    types = {manifest.top()[0]["mediaType"]} | {m["mediaType"] for _, m, _ in manifest.images().values()}
    expect(all("docker" in t for t in types), types)
    layer = new_layer(manifest)
    expect_equal(layer["mediaType"], "application/vnd.docker.image.rootfs.diff.tar.gzip")


def test_annotations(case):
    """Four places, for all platforms or one."""
    simple(case)
    build = case.build("-t", "app", "--annotation", "manifest[%s]:only=host" % HOST, "--annotation", "index:i=1",
                       "--annotation", "index-descriptor,manifest-descriptor:d=2", "--annotation", "Plain=x=y",
                       platforms=BOTH)
    top, index = build.layout.top()
    expect_equal(index[ANNOTATIONS], {"i": "1"})
    expect_equal(top[ANNOTATIONS]["d"], "2")
    for name, (descriptor, manifest, _) in build.layout.images().items():
        expect_equal(descriptor[ANNOTATIONS], {"d": "2"})
        wanted = {"Plain": "x=y"}
        if name == HOST:
            wanted["only"] = "host"
        expect_equal(manifest[ANNOTATIONS], wanted)
    layout = attributes(case, "annotation.org.Example=v,annotation-manifest-descriptor.q=r")
    expect_equal(layout.images()[HOST][1][ANNOTATIONS], {"org.Example": "v"})
    expect_equal(layout.top()[0][ANNOTATIONS]["q"], "r")


def test_epoch_of_an_output(case):
    """source-date-epoch sets the config's times, rewrite-timestamp those of files in new layers."""
    simple(case)
    layout = attributes(case, "source-date-epoch=86400,rewrite-timestamp=true")
    _, manifest, config = layout.images()[HOST]
    expect_equal(config["created"], "1970-01-02T00:00:00Z")
    expect(all(entry["created"] <= "1970-01-02T00:00:00Z" for entry in config["history"]), config["history"])
    expect_equal(layout.times(manifest["layers"][-1])["data"], 86400)
    expect(max(layout.times(manifest["layers"][0]).values()) > 86400, "a base layer was rewritten")
    plain = attributes(case, "source-date-epoch=86400")
    expect(plain.times(new_layer(plain))["data"] > 86400, "files were rewritten without being asked")


def test_several_outputs(case):
    """One build, each output in its own way; the first image output is what the build's result is called by."""
    simple(case)
    metadata, iid = case.dir + "/metadata", case.dir + "/iid"
    case.build("-o", "type=local,dest=tree", "-o", "type=docker,dest=d.tar,name=first", "-o",
               "type=oci,dest=z.tar,compression=zstd", "-o", "type=tar,dest=files.tar", "-o", "type=cacheonly",
               "-o", "type=docker,dest=directory,tar=false", "-t", "app", "--metadata-file", metadata, "--iidfile", iid,
               export=False)
    with open(case.dir + "/tree/data") as f:
        expect_equal(f.read(), "data\n" * 1000)
    docker = oci.Layout(case.dir + "/d.tar")
    descriptor, manifest, _ = docker.images()[HOST]
    with tarfile.open(case.dir + "/d.tar") as archive:
        legacy = json.load(archive.extractfile("manifest.json"))
    expect_equal(legacy[0]["RepoTags"], ["first:latest"])
    expect_equal([os.path.basename(path) for path in legacy[0]["Layers"]],
                 [layer["digest"].split(":")[1] for layer in manifest["layers"]])
    expect(new_layer(oci.Layout(case.dir + "/z.tar"))["mediaType"].endswith("zstd"), "the second image's compression")
    expect(os.path.exists(case.dir + "/directory/manifest.json"), "no manifest.json in the directory")
    with tarfile.open(case.dir + "/files.tar") as archive:
        expect("data" in archive.getnames(), "the tar lacks the file")
    with open(iid) as f:
        expect_equal(f.read(), manifest["config"]["digest"])
    with open(metadata) as f:
        facts = json.load(f)
    expect_equal(facts["containerimage.digest"], descriptor["digest"])
    expect_equal(facts["containerimage.config.digest"], manifest["config"]["digest"])
    expect_equal(facts["containerimage.descriptor"]["size"], descriptor["size"])
    expect_equal(facts["image.name"], "docker.io/library/first:latest")


def test_metadata_of_several_platforms(case):
    simple(case)
    metadata, iid = case.dir + "/metadata", case.dir + "/iid"
    build = case.build("-t", "app", "--metadata-file", metadata, "--iidfile", iid, platforms=BOTH,
                       env={"BUILDX_METADATA_WARNINGS": "1"})
    with open(metadata) as f:
        facts = json.load(f)
    digest = build.layout.top()[0]["digest"]
    expect_equal(facts["containerimage.digest"], digest)
    expect("containerimage.config.digest" not in facts, "an index has no config")
    expect_equal(facts["buildx.build.warnings"], [])
    with open(iid) as f:
        expect_equal(f.read(), digest)


def test_local(case):
    """Split by platform or merged; what is there stays, or goes."""
    case.write("data", "data\n")
    case.dockerfile("FROM scratch", "ARG TARGETARCH", "COPY data /data-$TARGETARCH", "COPY data /data")
    out = case.dir + "/out"
    os.makedirs(out + "/old")
    case.build("-o", out, platforms=BOTH, export=False)
    names = sorted(name.replace("/", "_") for name in BOTH)
    expect_equal(sorted(os.listdir(out)), names + ["old"])
    case.build("-o", "type=local,dest=out,mode=delete,platform-split=true", export=False)
    expect_equal(os.listdir(out), [HOST.replace("/", "_")])
    case.fails("-o", "type=local,dest=out,platform-split=false", platforms=BOTH, export=False,
               says=["cannot overwrite data from", "when split option is disabled"])
    other = case.dir + "/context/../../outside-" + case.nonce
    os.makedirs(other)
    try:
        case.build("-o", "type=local,dest=%s,mode=delete" % other, "--allow", "buildx.local.delete", export=False)
        expect_equal(sorted(os.listdir(other)), sorted(["data", "data-" + HOST.split("/")[1]]))
    finally:
        for name in os.listdir(other):
            os.unlink(os.path.join(other, name))
        os.rmdir(other)


def test_no_output(case):
    simple(case)
    build = case.build(export=False)
    expect("no output is asked for" in build.text, "no warning")


def test_stored_image(case):
    """-o type=image keeps the image; the next build can start from it, without any registry."""
    simple(case)
    images = [case.mbuild, "images", "--root", case.root]
    case.build("-t", "example.test/app:1", "-o", "type=image,name-canonical=true", platforms=BOTH, export=False)
    listed = [json.loads(line) for line in case.check(*images, "--format", "json").splitlines()]
    expect_equal(len(listed), 2)
    expect_equal(listed[0]["Name"], "example.test/app:1")
    expect_equal(listed[1]["Name"], "example.test/app:1@" + listed[0]["Digest"])
    expect_equal(sorted(listed[0]["Platforms"].split(",")), sorted(BOTH))
    case.dockerfile("FROM example.test/app:1", "RUN wc -c < /data > /size")
    for name in BOTH:
        expect_equal(case.build(platforms=(name,)).file("size", name), "5000")
    expect("example.test/app" in case.check(*images), "the table lacks the image")
    for entry in listed:
        case.check(*images, "rm", entry["Name"])
    expect_equal(case.check(*images, "--format", "json"), "")
    case.check(case.mbuild, "images", "--root", case.root)
    expect_equal(case.run(images + ["rm", "example.test/app:1"]).status, 1)
