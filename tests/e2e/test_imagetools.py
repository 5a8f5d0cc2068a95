"""imagetools, merge and verify: images in registries, layouts and tars, without unpacking them."""
import json
import os

import oci
from registry import OCI_INDEX, OCI_MANIFEST, Front, Registry
from support import BOTH, FOREIGN, HOST, expect, expect_equal, quick


def simple(case, *more):
    case.write("data", "data\n")
    case.dockerfile("FROM busybox", "COPY data /data", *more)


def layout_of(case, name, **options):
    """An OCI layout directory with the built image."""
    path = case.dir + "/" + name
    case.build("-t", "app:1", "-o", "type=oci,tar=false,dest=" + path, export=False, **options)
    return path


@quick
def test_create_in_layouts(case):
    """Single images are joined, filtered, annotated and copied; a later source wins its platform."""
    simple(case)
    parts = {name: layout_of(case, name.replace("/", "-"), platforms=(name,)) for name in BOTH}
    tools = [case.mbuild, "imagetools"]
    target = "oci-layout://%s/all:v1" % case.dir
    sources = ["oci-layout://%s:1" % path for path in parts.values()]
    metadata = case.dir + "/metadata"
    case.check(*tools, "create", "-t", target, "--annotation", "index:a=b", "--annotation",
               "manifest-descriptor[%s]:c=d" % HOST, "--metadata-file", metadata, *sources)
    layout = oci.Layout(case.dir + "/all")
    top, index = layout.top()
    expect_equal(index["annotations"], {"a": "b"})
    images = layout.images()
    expect_equal(sorted(images), sorted(BOTH))
    expect_equal(images[HOST][0]["annotations"], {"c": "d"})
    expect_equal(layout.tree(images[FOREIGN][1])["data"].data, b"data\n")
    with open(metadata) as f:
        expect_equal(json.load(f)["containerimage.digest"], top["digest"])
    expect_equal(json.loads(case.check(*tools, "inspect", "--raw", target)), index)
    expect_equal(case.check(*tools, "inspect", "--format", "{{.Manifest.Digest}}", target), top["digest"] + "\n")
    template = "{{range .Manifest.Manifests}}{{.Platform.OS}}/{{.Platform.Architecture}} {{end}}"
    expect_equal(sorted(case.check(*tools, "inspect", "--format", template, target).split()), sorted(BOTH))
    expect("Platform:    " + FOREIGN in case.check(*tools, "inspect", target), "the platform is not listed")

    case.check(*tools, "create", "-t", "oci-layout://%s/one:v1" % case.dir, "-p", FOREIGN, target)
    expect_equal(list(oci.Layout(case.dir + "/one").images()), [FOREIGN])
    case.check(*tools, "create", "-t", "oci-layout://%s/copy:v1" % case.dir, target)
    expect_equal(oci.Layout(case.dir + "/copy").top()[0]["digest"], top["digest"], "a copy has the same bytes")
    case.check(*tools, "create", "--no-prefer-index", "-t", "oci-layout://%s/bare:v1" % case.dir, sources[0])
    expect("layers" in oci.Layout(case.dir + "/bare").top()[1], "no carbon copy")
    dry = json.loads(case.check(*tools, "create", "--dry-run", sources[0]))
    expect_equal(len(dry["manifests"]), 1)
    expect_equal(case.run(tools + ["create", sources[0]]).status, 2)

    case.dockerfile("FROM busybox", "COPY data /other")
    newer = layout_of(case, "newer", platforms=(HOST,))
    case.check(*tools, "create", "--append", "-t", target, "oci-layout://%s:1" % newer)
    layout = oci.Layout(case.dir + "/all")
    expect_equal(sorted(layout.images("v1")), sorted(BOTH))
    expect("other" in layout.tree(layout.images("v1")[HOST][1]), "the older image of the platform was kept")


def test_create_on_a_registry(case):
    """From a layout to a registry, and between its repositories."""
    simple(case)
    registry = Registry(case)
    path = layout_of(case, "layout", platforms=BOTH)
    first, second = registry.host + "/first:1", registry.host + "/second:2"
    case.check(case.mbuild, "imagetools", "create", "-t", first, "oci-layout://%s:1" % path)
    case.check(case.mbuild, "imagetools", "create", "-t", second, "-t", registry.host + "/second:3", first)
    raw = case.check("skopeo", "inspect", "--tls-verify=false", "--raw", "docker://" + second)
    expect_equal(json.loads(raw), oci.Layout(path).top()[1])
    case.check("skopeo", "--insecure-policy", "copy", "-q", "--all", "--src-tls-verify=false",
               "docker://%s/second:3" % registry.host, "oci:%s/back:x" % case.dir)
    expect_equal(sorted(oci.Layout(case.dir + "/back").images()), sorted(BOTH))
    text = case.check(case.mbuild, "verify", second)
    expect_equal(text.count(": ok"), 2)


def referring(registry, repository, subject, kind, annotations=None):
    """Pushes an artifact that refers to a manifest of the repository; its descriptor as listings have it."""
    empty = dict(registry.put_blob(repository, b"{}"), mediaType="application/vnd.oci.empty.v1+json")
    layer = dict(registry.put_blob(repository, kind.encode()), mediaType="text/plain")
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": kind, "config": empty,
                "layers": [layer], "subject": subject, "annotations": annotations or {}}
    descriptor = registry.put_manifest(repository, "by-digest", manifest, OCI_MANIFEST)
    return dict(descriptor, artifactType=kind, annotations=annotations or {})


def test_referrers_come_along(case):
    """Signatures and the like of an image and of its index, and what refers to those, by the tag that lists them where
    the registry has no API for it. What only pretends to refer is left."""
    simple(case)
    registry = Registry(case)
    registry_copy = registry.host + "/copy:1"
    path = layout_of(case, "layout", platforms=BOTH)
    case.check(case.mbuild, "imagetools", "create", "-t", registry.host + "/app:1", "oci-layout://%s:1" % path)
    top, index = oci.Layout(path).top()

    def tag_of(digest):
        return digest.replace(":", "-")

    def put_list(digest, *descriptors):
        registry.put_manifest("app", tag_of(digest), {"schemaVersion": 2, "mediaType": OCI_INDEX,
                                                      "manifests": list(descriptors)}, OCI_INDEX)

    subject = {name: top[name] for name in ("mediaType", "digest", "size")}
    inner = {name: index["manifests"][0][name] for name in ("mediaType", "digest", "size")}
    signature = referring(registry, "app", subject, "text/signature",
                          {"by": "me", "org.opencontainers.image.ref.name": "1"})  # which is to take no name over
    bill = referring(registry, "app", inner, "text/bill")
    about_bill = referring(registry, "app", {n: bill[n] for n in ("mediaType", "digest", "size")}, "text/signature")
    gone = referring(registry, "app", subject, "text/gone")
    put_list(top["digest"], signature, bill, gone)  # the second one refers to something else
    expect_equal(registry.request("DELETE", "/v2/app/manifests/" + gone["digest"])[0], 202)
    put_list(inner["digest"], bill)
    put_list(bill["digest"], about_bill)

    case.check(case.mbuild, "imagetools", "create", "-t", registry_copy, registry.host + "/app:1")

    def listed(repository, digest):
        status, _, body = registry.request("GET", "/v2/%s/manifests/%s" % (repository, tag_of(digest)))
        return json.loads(body)["manifests"] if status == 200 else []

    expect_equal(listed("copy", top["digest"]), [signature])
    for digest, referrer in ((inner["digest"], bill), (bill["digest"], about_bill)):
        expect_equal([entry["digest"] for entry in listed("copy", digest)], [referrer["digest"]])
    expect_equal(registry.request("GET", "/v2/copy/manifests/" + about_bill["digest"])[0], 200)
    case.check(case.mbuild, "imagetools", "create", "-t", registry_copy, registry.host + "/app:1")
    expect_equal(listed("copy", top["digest"]), [signature], "listed twice")

    # to a layout and back
    case.check(case.mbuild, "imagetools", "create", "-t", "oci-layout://%s/taken:1" % case.dir, registry_copy)
    with open(case.dir + "/taken/index.json") as f:
        entries = json.load(f)["manifests"]
    expect_equal(sorted(entry["digest"] for entry in entries),
                 sorted(d["digest"] for d in (top, signature, bill, about_bill)))
    case.check(case.mbuild, "imagetools", "create", "-t", registry.host + "/back:1",
               "oci-layout://%s/taken:1" % case.dir)
    expect_equal(listed("back", top["digest"]), [signature])


def test_a_registry_that_takes_tags_for_digests(case):
    """Under the tag of the list of referrers it has the image itself: that is no list."""
    simple(case)
    registry = Registry(case)
    path = layout_of(case, "layout", platforms=(HOST,))
    case.check(case.mbuild, "imagetools", "create", "-t", registry.host + "/app:1", "oci-layout://%s:1" % path)

    def replace(request):
        repository, found, digest = request.path.partition("/manifests/sha256-")
        if request.method != "GET" or not found:
            return None
        status, headers, body = registry.request("GET", "%s/manifests/sha256:%s" % (repository, digest))
        return status, {"Content-Type": headers["Content-Type"]}, body

    front = Front(registry)
    front.replace = replace
    case.check(case.mbuild, "imagetools", "create", "-t", front.host + "/copy:1", front.host + "/app:1")
    expect_equal(registry.tags("copy"), ["1"])


def test_referrers_by_the_registry(case):
    """A registry that lists them itself is asked page by page, and nothing is listed for it."""
    simple(case)
    registry = Registry(case)
    front = Front(registry)
    path = layout_of(case, "layout", platforms=(HOST,))
    case.check(case.mbuild, "imagetools", "create", "--no-prefer-index", "-t", registry.host + "/app:1",
               "oci-layout://%s:1" % path)
    status, headers, body = registry.request("GET", "/v2/app/manifests/1")
    expect_equal(status, 200)
    subject = {"mediaType": headers["Content-Type"], "digest": headers["Docker-Content-Digest"], "size": len(body)}
    pages = [[referring(registry, "app", subject, "text/one")],
             [referring(registry, "app", subject, "application/vnd.docker.attestation.manifest.v1+json")]]

    def replace(request):
        if "/app/referrers/" + subject["digest"] in request.path:
            page = int(request.path.partition("page=")[2] or "0")
            link = {"Link": '</v2/app/referrers/%s?page=1>; rel="next"' % subject["digest"]} if page == 0 else {}
            index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": pages[page]}
            return 200, dict(link, **{"Content-Type": OCI_INDEX}), json.dumps(index).encode()
        return None

    def note_subject(request):
        if request.method == "PUT" and "/copy/manifests/" in request.path:
            return ("subject", subject["digest"])
        return None

    front.replace, front.rule = replace, note_subject
    case.check(case.mbuild, "imagetools", "create", "-t", front.host + "/copy:1", front.host + "/app:1")
    for page in pages:
        expect_equal(registry.request("GET", "/v2/copy/manifests/" + page[0]["digest"])[0], 200)
    expect_equal(registry.tags("copy"), ["1"])
    index = json.loads(registry.request("GET", "/v2/copy/manifests/1")[2])
    expect_equal([entry["digest"] for entry in index["manifests"]], [subject["digest"], pages[1][0]["digest"]],
                 "the attestation belongs to the index")
    expect_equal(index["manifests"][1]["annotations"]["vnd.docker.reference.digest"], subject["digest"])


def test_merge(case):
    """Platforms that are built apart and pushed by digest become one image, if they belong together."""
    simple(case)
    registry = Registry(case)
    target = registry.host + "/app:1"

    def part(name, *arguments):
        metadata = "%s/%s.json" % (case.dir, name.replace("/", "-"))
        case.build("-o", "type=image,push=true,push-by-digest=true,name=%s/app" % registry.host, "--metadata-file",
                   metadata, *arguments, platforms=(name,), export=False)
        return metadata

    parts = [part(name) for name in BOTH]
    merge = [case.mbuild, "merge", "-t", target, "--platform", ",".join(BOTH)]
    lacking = case.run(merge + parts[:1])
    expect_equal(lacking.status, 2)
    expect("no source has an image for " + FOREIGN in lacking.text, lacking.text)
    expect(case.run(["skopeo", "inspect", "--tls-verify=false", "--raw", "docker://" + target]).status != 0,
           "a tag was set although a platform is missing")
    case.check(*merge, *parts)
    raw = json.loads(case.check("skopeo", "inspect", "--tls-verify=false", "--raw", "docker://" + target))
    expect_equal(len(raw["manifests"]), 2)
    other = part(FOREIGN, "--build-arg", "x=y")
    differing = case.run(merge + [parts[0], other])
    expect_equal(differing.status, 2)
    expect("buildArgs" in differing.text, differing.text)
    case.check(*merge, "--allow-different", parts[0], other)


def test_merge_names_what_is_no_source(case):
    merge = [case.mbuild, "merge", "-t", "127.0.0.1:1/app:1"]
    case.fails_to_run(merge + ["nope.json"], "nope.json: no such file", "--metadata-file")
    for text, says in (("FROM x", "is not JSON"), ("[]", "does not name a pushed image")):
        path = case.dir + "/file.json"
        with open(path, "w") as file:
            file.write(text)
        case.fails_to_run(merge + [path], path, says)


def verify(case, *arguments):
    result = case.run([case.mbuild, "verify", "--format", "json"] + list(arguments))
    return result.status, json.loads(result.text)


def kinds(images):
    return sorted((finding["severity"], finding["what"], finding["path"])
                  for image in images for finding in image["findings"])


@quick
def test_verify(case):
    """A foreign program is an error, a missing interpreter a warning; what a later layer deletes does not count."""
    case.write("script", "#!/usr/bin/nothing -x\n", mode=0o755)
    case.write("plain", "#!/usr/bin/nothing\n", mode=0o644)
    case.dockerfile("FROM --platform=%s busybox AS other" % FOREIGN, "FROM busybox",
                    "COPY --from=other /bin/busybox /opt/tool", "COPY --from=other /bin/busybox /opt/gone",
                    "COPY script plain /", "RUN rm /opt/gone && ln /opt/tool /opt/link")
    build = case.build("--arch-check=off")
    status, images = verify(case, build.output)
    expect_equal(status, 1)
    expect_equal(kinds(images), [("error", "architecture", "/opt/link"), ("error", "architecture", "/opt/tool"),
                                 ("warning", "interpreter", "/script")])
    expect_equal(verify(case, "--arch-allow", "/opt/*", build.output)[0], 0)
    expect_equal(verify(case, "--platform", HOST, "oci-layout:%s:busybox" % case.bases)[0], 0)
    expect_equal(case.run([case.mbuild, "verify", "--platform", "linux/s390x", build.output]).status, 2)


def test_verify_mislabelled(case):
    """An image whose index, or whose config, says another platform than its programs have."""
    status, images = verify(case, "oci-layout:%s:busybox" % case.relabelled_base())
    expect_equal(status, 1)
    expect(("error", "architecture", "/bin/busybox") in kinds(images), kinds(images))
    layout = oci.Layout(case.bases)
    descriptor = layout.images("busybox")[HOST][0]
    writer = oci.LayoutWriter(case.dir + "/lying")
    for digest in layout.reachable(descriptor):
        writer.blob(layout.blob(digest), "")
    lie = dict(descriptor, platform={"os": "linux", "architecture": FOREIGN.split("/")[1]})
    writer.name("busybox", [lie])
    writer.finish()
    status, images = verify(case, case.dir + "/lying")
    expect_equal(status, 1)
    expect(("error", "platform", "") in kinds(images), kinds(images))


def test_verify_damaged(case):
    """Wrong bytes, a wrong diff id, a path out of the image, no tar at all: named, never a crash."""
    simple(case)
    path = layout_of(case, "layout")
    layout = oci.Layout(path)
    layer = layout.images()[HOST][1]["layers"][-1]
    blob = path + "/blobs/" + layer["digest"].replace(":", "/")
    with open(blob, "rb") as f:
        good = f.read()
    for bad in (good[:-1], good[:-9] + b"x" + good[-8:], b"", b"no tar", good + b"x"):
        with open(blob, "wb") as f:
            f.write(bad)
        status, images = verify(case, path)
        expect_equal(status, 1)
        expect_equal(kinds(images)[0][:2], ("error", "blob"))
    os.unlink(blob)
    expect_equal(verify(case, path)[0], 1)

    evil = oci.Layer()
    evil.file("../../outside", "x")
    evil.entries["../../outside"][0].name = "../../outside"
    writer = oci.LayoutWriter(case.dir + "/evil")
    writer.name("evil", [writer.image(HOST.split("/")[1], [evil], {}, ["evil"])])
    writer.finish()
    status, images = verify(case, case.dir + "/evil")
    expect_equal(status, 1)
    expect("leads out of the image" in images[0]["findings"][0]["message"], images)


def test_verify_docker_archive(case):
    """What docker save writes has no OCI layout in it: a manifest.json and layers under any name."""
    case.needs("skopeo")
    simple(case)
    path = layout_of(case, "layout")
    archive = case.dir + "/saved.tar"
    case.check("skopeo", "--insecure-policy", "copy", "-q", "oci:%s:1" % path, "docker-archive:" + archive + ":app:1")
    status, images = verify(case, archive)
    expect_equal((status, [image["platform"] for image in images]), (0, [HOST]))
    expect_equal(case.run([case.mbuild, "verify", case.context + "/data"]).status, 2)
