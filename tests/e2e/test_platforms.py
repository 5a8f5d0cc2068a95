"""`mbuild platforms` says what this host runs, and how; and what it says it runs, it runs."""
import json
import os
import re

from support import FOREIGN, HOST, Skip, expect, expect_equal, quick
from test_docker_scripts import printed


def listed(case, env=None):
    """{platform: what is said of it}"""
    status, out, err = printed(case, "platforms", "--format", "json", env=env)
    expect_equal((status, err), (0, ""))
    said = json.loads(out)
    expect_equal(said["host"], HOST)
    return {one["platform"]: one for one in said["platforms"]}


@quick
def test_the_list(case):
    said = listed(case)
    expect_equal(said[HOST]["runs"], "native")
    expect("linux/s390x" in said and "linux/riscv64" in said, list(said))
    lines = printed(case, "platforms")[1].splitlines()
    expect(lines[0].startswith("PLATFORM"), lines[0])
    for name, one in said.items():
        line = next(line for line in lines if line.split()[:1] == [name])
        expect_equal(line.split()[1], one["runs"])
        if one["runs"] == "none":
            expect(one["problem"] and one["remedy"], one)
        if one["runs"] == "qemu":
            expect("QEMU %s, %s" % (one["version"], one["emulator"]) in line, line)
            expect_equal(", accelerated" in line, one["accelerated"])


@quick
def test_the_list_where_nothing_can_be_registered(case):
    if listed(case)[FOREIGN]["runs"] != "qemu":
        raise Skip("no QEMU, or a handler of the host's")
    traced = listed(case, {"MBUILD_TEST_DISABLE": "binfmt-ns"})[FOREIGN]
    expect_equal((traced["runs"], traced["accelerated"], traced["traced"]), ("qemu", False, True))
    env = {"MBUILD_TEST_DISABLE": "binfmt-ns,exec-trace"}
    foreign = listed(case, env)[FOREIGN]
    expect_equal(foreign["runs"], "none")
    expect("qemu-user-static" in foreign["remedy"], foreign)
    text = printed(case, "platforms", env=env)[1]
    expect("no binfmt_misc handler" in text and "qemu-user-static" in text, text)


@quick
def test_the_list_without_native_programs(case):
    foreign = listed(case, {"MBUILD_TEST_DISABLE": "accel"})[FOREIGN]
    expect(not foreign.get("accelerated"), foreign)
    expect_equal(listed(case, {"MBUILD_TEST_DISABLE": "accel"})[HOST], listed(case)[HOST])


def test_an_unknown_format(case):
    case.fails_to_run([case.mbuild, "platforms", "--format", "yaml"], "table and json")


# What uname says there; None: as on the host, whose processor runs it as it stands.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "arm/v7": "armv7l", "arm/v6": "armv7l", "arm/v5": "armv7l",
            "386": "i686", "riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x", "loong64": "loongarch64",
            "mips64le": "mips64", "mipsle": "mips"}


# The first QEMU that has the vector instructions which the distribution's programs need.
FIRST_QEMU = {"linux/loong64": (8, 2)}


def base(case, platform_name):
    """The base image `platforms`, which has to have the platform."""
    with open(os.path.join(case.bases, "index.json")) as f:
        named = [d for d in json.load(f)["manifests"]
                 if d.get("annotations", {}).get("org.opencontainers.image.ref.name") == "platforms"]
    if not named:
        raise Skip("no image `platforms` among the bases: scripts/make-bases --only platforms makes it")
    with open(os.path.join(case.bases, "blobs", *named[0]["digest"].split(":"))) as f:
        has = ["/".join(filter(None, (d["platform"]["os"], d["platform"]["architecture"], d["platform"].get("variant"))))
               for d in json.load(f)["manifests"]]
    if platform_name not in has:
        raise Skip("the distribution has no busybox for " + platform_name)


def runs_a_step(case, platform_name):
    base(case, platform_name)
    said = listed(case)[platform_name]
    version = re.match(r"(\d+)\.(\d+)", said.get("version", ""))
    if version and tuple(map(int, version.groups())) < FIRST_QEMU.get(platform_name, (0, 0)):
        raise Skip("QEMU %s is too old for programs of %s" % (said["version"], platform_name))
    case.dockerfile("FROM base", "RUN echo one two | sed 's/two/three/' | tee /text; uname -m > /machine",
                    # A process of its own, a program that finds out what to do by its name, another user, a signal.
                    "RUN (sleep 0.01; awk 'BEGIN { print 6 * 7 }') > /sum; sh -c 'kill -9 $$' || echo $? > /status",
                    "USER app", 'RUN id -un > /tmp/user; tar cf - -C /etc passwd | gzip | tar xzf - -C /tmp')
    arguments = ["--build-context", "base=oci-layout://%s:platforms" % case.bases]
    if said["runs"] == "none":
        case.fails(*arguments, platforms=(platform_name,), status=5, says=("linux/" + platform_name.split("/")[1],))
        raise Skip(said["problem"])
    made = case.build(*arguments, platforms=(platform_name,))
    image = made.layout.images()
    name, = image
    expect_equal(name, platform_name)

    def file(path):
        return made.file(path, name)
    expect_equal(file("text"), "one three")
    machine = MACHINES[platform_name.partition("/")[2]]
    compatible = said["runs"] == "compatible"
    expect(file("machine") == machine or compatible, file("machine"))
    expect_equal((file("sum"), file("status"), file("tmp/user")), ("42", "137", "app"))
    expect(file("tmp/passwd") == file("etc/passwd"), "another passwd")


def a_step_on(platform_name):
    return lambda case: runs_a_step(case, platform_name)


for _name in MACHINES:
    globals()["test_a_step_on_" + _name.replace("/", "_")] = a_step_on("linux/" + _name)


def runs_on_variant(case, variant):
    if variant not in listed(case).get("linux/amd64", {}).get("variants", []):
        raise Skip("the processor is none of amd64/" + variant)
    case.dockerfile("FROM busybox", "RUN uname -m > /machine")
    made = case.build(platforms=("linux/amd64/" + variant,))
    expect_equal(made.file("machine", "linux/amd64/" + variant), "x86_64")


def test_a_step_on_amd64_v2(case):
    runs_on_variant(case, "v2")


def test_a_step_on_amd64_v3(case):
    runs_on_variant(case, "v3")
