"""A Dockerfile without RUN needs no namespaces and no mounts: the image is the same without them."""
from support import BOTH, HOST, expect, expect_equal, quick

WITHOUT = {"MBUILD_TEST_DISABLE": "userns,overlay"}


def files_only(case):
    case.write("a", "a\n")
    case.write("tree/sub/b", "b\n", 0o640)
    case.write("tree/sub/deep/c", "c\n")
    case.dockerfile("FROM busybox AS one", "WORKDIR /work/here", "COPY tree /tree", "COPY a /bin/busybox-a",
                    "COPY <<EOF /etc/passwd", "root:x:0:0:root:/root:/bin/sh", "app:x:7:8::/:/bin/sh", "EOF",
                    "COPY --chown=app:8 a /etc/new", "FROM busybox", "COPY --from=one /tree /from-one",
                    "COPY --from=one /bin/busybox /etc/passwd /opt/", "COPY a tree/sub/b /tree/sub/",
                    "ADD a /tree/sub/a", "ENV X=1")


def facts(build, platform):
    return {path: file.facts() for path, file in build.tree(platform).items()}


@quick
def test_files_only(case):
    files_only(case)
    for disable in ("userns", "overlay", "userns,overlay"):
        store = case.new_directory("store")
        found = case.build(platforms=BOTH, env={"MBUILD_TEST_DISABLE": disable}, root=store)
        wanted = case.build(platforms=BOTH)
        for name in BOTH:
            expect_equal(facts(found, name), facts(wanted, name), disable)
        again = case.build(platforms=BOTH, env={"MBUILD_TEST_DISABLE": disable}, root=store)
        expect_equal(again.digests(), found.digests())


def test_layers_are_left_alone(case):
    """A file that a step replaces is a name of the layer's file meanwhile."""
    case.dockerfile("FROM busybox", "COPY <<EOF /etc/motd", "one", "EOF", "COPY <<EOF /etc/motd", "two", "EOF")
    case.build(env=WITHOUT)
    case.dockerfile("FROM busybox", "COPY <<EOF /etc/motd", "one", "EOF", "COPY a /a")
    case.write("a", "a\n")
    expect_equal(case.build(env=WITHOUT).file("etc/motd"), "one")
    expect_equal(case.work_directories(), [])


def test_files_as_output(case):
    files_only(case)
    out = case.new_directory("out")
    case.build("-o", out, export=False, env=WITHOUT)
    with open(out + "/from-one/sub/b") as f:
        expect_equal(f.read(), "b\n")
    case.build("-o", "type=tar,dest=" + case.dir + "/out.tar", export=False, env=WITHOUT)


@quick
def test_run_says_what_is_missing(case):
    case.dockerfile("FROM busybox", "COPY Dockerfile /", "RUN true")
    case.fails(status=5, says=["namespace", "RUN true"], env=WITHOUT)
    doctor = case.run([case.mbuild, "doctor", "--root", case.root], env=WITHOUT)
    expect_equal(doctor.status, 5)
    expect("without RUN" in doctor.text, "doctor does not say what works")
