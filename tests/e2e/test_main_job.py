"""One command builds for two platforms, of which the host is one at most."""
import os
import sqlite3

from support import BOTH, FOREIGN, HOST, MACHINE, MARK, expect, expect_equal, quick


@quick
def test_two_platforms(case):
    case.write("app/run.sh", "#!/bin/sh\necho hello\n", 0o755)
    case.dockerfile("FROM busybox", "WORKDIR /srv/app", "COPY app/ .", "RUN uname -m > /machine && ./run.sh > /said",
                    'LABEL purpose="e2e"', 'CMD ["./run.sh"]')
    build = case.build("-t", "example.test/app:1", platforms=BOTH)
    top = build.layout.index["manifests"]
    expect_equal(len(top), 1, "entries of index.json")
    expect("index" in top[0]["mediaType"], "not an image index:", top[0]["mediaType"])
    expect_equal(sorted(build.layout.images()), sorted(BOTH))
    for name in BOTH:
        expect_equal(build.file("machine", name), MACHINE[name])
        expect_equal(build.file("said", name), "hello")
        config = build.layout.images()[name][2]
        expect_equal(config["config"]["WorkingDir"], "/srv/app")
        expect_equal(config["config"]["Labels"], {"purpose": "e2e"})
        expect_equal(config["config"]["Cmd"], ["./run.sh"])
        program = build.tree(name)["bin/busybox"].data
        expect_equal(program[18:20], b"\x3e\x00" if name == "linux/amd64" else b"\xb7\x00", "machine of the program")


def test_single_platform_is_no_index(case):
    case.dockerfile("FROM busybox", "RUN uname -m > /machine")
    build = case.build(platforms=(FOREIGN,))
    expect("manifest" in build.layout.index["manifests"][0]["mediaType"], "an index for one platform")
    expect_equal(build.file("machine", FOREIGN), MACHINE[FOREIGN])


def test_platform_arguments(case):
    case.dockerfile("FROM --platform=$BUILDPLATFORM busybox AS tool", "ARG TARGETPLATFORM TARGETARCH BUILDPLATFORM",
                    "RUN echo $BUILDPLATFORM $TARGETPLATFORM $TARGETARCH $(uname -m) > /out",
                    "FROM busybox", "COPY --from=tool /out /out")
    build = case.build(platforms=BOTH)
    for name in BOTH:
        expect_equal(build.file("out", name), "%s %s %s %s" % (HOST, name, name.split("/")[1], MACHINE[HOST]))


def test_common_stage_runs_once(case):
    case.dockerfile("FROM --platform=$BUILDPLATFORM busybox AS tool", MARK + "/mark",
                    "FROM busybox", "COPY --from=tool /mark /mark")
    build = case.build(platforms=BOTH)
    expect_equal(build.file("mark", HOST), build.file("mark", FOREIGN), "the stage ran for each platform")


def test_emulated_programs_start_programs(case):
    """Children, scripts with an interpreter line and argv[0] work under the emulator."""
    case.write("script", "#!/bin/sh\nprintf '%s ' \"$0\" \"$@\"; uname -m\n", 0o755)
    case.dockerfile("FROM busybox", "COPY script /usr/bin/", "RUN script a 'b c' > /out && ln -s /bin/busybox /tmp/true "
                    "&& /tmp/true && sh -c 'sh -c \"uname -m\"' | cat >> /out")
    build = case.build(platforms=(FOREIGN,))
    machine = MACHINE[FOREIGN]
    expect_equal(build.file("out", FOREIGN), "/usr/bin/script a b c %s\n%s" % (machine, machine))


def test_record_names_the_emulator(case):
    """What ran a foreign step is in its record: the program and, where it can be asked, its version."""
    case.dockerfile("FROM busybox", "RUN uname -m > /machine")
    case.build(platforms=(FOREIGN,))
    index = sqlite3.connect(os.path.join(case.root, "index.db"))
    (emulator,), = index.execute("SELECT emulator FROM records WHERE name LIKE 'RUN %'").fetchall()
    expect("version" in emulator or emulator.startswith("host handler"), "emulator:", emulator)
