"""A RUN reaches nothing but its own root: as root in both id maps, and where the host can't isolate it as it should."""
import os
import subprocess
import tarfile

from support import HOST, expect, expect_equal, quick

LESS = "--allow-less-isolation"


def maps(case):
    """Environments for builds with this user's map and, as root, with all ids as they are."""
    return ({}, {"MBUILD_TEST_DISABLE": "root-map"}) if os.geteuid() == 0 else ({},)


@quick
def test_root_is_not_root_inside(case):
    """No id that a program of an image can have is one that the host has in use."""
    case.needs_root()
    case.dockerfile("FROM busybox", "RUN cat /proc/self/uid_map /proc/self/gid_map > /maps; chown 7:8 /maps")
    build = case.build()
    ranges = [tuple(map(int, line.split())) for line in build.file("maps").splitlines()]
    for inside, _, count in ranges:
        expect(inside + count <= 2 ** 31 or inside >= 2 ** 32 - 2 ** 16, "ids of the host in", ranges)
    expect_equal(sum(count for _, _, count in ranges), 2 * (2 ** 31 - 1), "ids of images")
    expect_equal(build.tree()["maps"].owner, (7, 8))
    with open("/proc/self/uid_map") as f:
        if f.read().split() != ["0", "0", "4294967295"]:
            return
    for layer in os.listdir(case.root + "/fs"):
        for directory, _, files in os.walk(os.path.join(case.root, "fs", layer, "layers")):
            for name in files:
                status = os.lstat(os.path.join(directory, name))
                expect(status.st_uid != 0, directory, name, "is owned by the host's root")


def test_both_maps_give_the_same_image(case):
    case.needs_root()
    case.write("private/file", "secret\n", mode=0o600)
    os.chmod(os.path.join(case.context, "private"), 0o700)
    case.dockerfile("FROM busybox", "COPY private /private", "COPY --chown=5:6 private/file /owned",
                    "RUN chown 1234:4294967294 /owned && chmod 4755 /owned && mkdir -m 1777 /t && touch /t/x",
                    "USER 1000", "WORKDIR /w/x", "RUN id > /tmp/id && echo said > /dev/stdout")
    facts = []
    for env in maps(case):
        build = case.build(env=env, root=case.dir + "/store-%d" % len(facts))
        facts.append({path: file.facts() for path, file in build.tree().items()})
    expect_equal(facts[0], facts[1])
    expect_equal(build.tree()["owned"].owner, (1234, 4294967294))


def test_context_of_another_user(case):
    """Files that root may read by its privilege alone."""
    case.needs_root()
    case.write("deep/file", "content\n", mode=0o600)
    for path in ("deep/file", "deep", "."):
        path = os.path.join(case.context, path)
        os.chmod(path, 0o700 if os.path.isdir(path) else 0o600)
        os.chown(path, 4242, 4243)
    case.dockerfile("FROM busybox", "COPY deep /deep", "RUN cat /deep/file > /read")
    build = case.build()
    expect_equal(build.file("read"), "content")
    expect_equal(build.tree()["deep/file"].owner, (0, 0))


def test_exported_directory_is_the_callers(case):
    case.dockerfile("FROM busybox", "RUN echo a > /a && chown 5:6 /a && chmod 600 /a && ln -s a /b && mkdir -m 700 /d",
                    "FROM scratch", "COPY --from=0 /a /b /d/", "COPY --from=0 /a /a")
    for number, env in enumerate(maps(case)):
        out = case.dir + "/out-%d" % number
        case.build("-o", out, env=env, export=False, root=case.dir + "/store-%d" % number)
        for directory, directories, files in os.walk(out):
            for name in [directory] + directories + files:
                status = os.lstat(os.path.join(directory, name))
                expect_equal((status.st_uid, status.st_gid), (os.geteuid(), os.getegid()), name)


@quick
def test_masked_proc_is_refused(case):
    """Where no /proc of its own can be mounted a RUN sees the host's only when that is asked for."""
    case.dockerfile("FROM busybox", "RUN cat /proc/self/comm > /comm")
    env = {"MBUILD_TEST_DISABLE": "proc-mount"}
    case.fails(env=env, status=5, says=("/proc", LESS))
    build = case.build(LESS, env=env)
    expect_equal(build.file("comm"), "cat")
    expect_equal(build.text.count("LessIsolation"), 1, "warnings")


def test_masked_proc_by_configuration(case):
    case.dockerfile("FROM busybox", "RUN true")
    config = os.path.join(case.dir, "config.toml")
    with open(config, "w") as f:
        f.write("[sandbox]\nallow-less-isolation = true\n")
    case.build(env={"MBUILD_TEST_DISABLE": "proc-mount", "MBUILD_CONFIG": config})


def test_no_user_namespace_is_refused(case):
    case.dockerfile("FROM busybox", "RUN echo ran > /ran")
    env = {"MBUILD_TEST_DISABLE": "step-userns"}
    case.fails(env=env, status=5, says=(LESS,))
    build = case.build(LESS, env=env)
    expect("LessIsolation" in build.text, "no warning")


def test_steps_do_not_see_into_each_other(case):
    """Also where all processes of the host are seen."""
    secret = case.write("../secret", "S3" + case.nonce)
    cache = "RUN --mount=type=cache,id=meet,target=/meet "
    case.dockerfile(
        "FROM busybox AS victim",
        cache + "--mount=type=secret,id=s,env=WORD touch /meet/ready; while [ ! -e /meet/done ]; do sleep 0.1; done",
        "FROM busybox",
        cache + "while [ ! -e /meet/ready ]; do sleep 0.1; done; ls -d /proc/[0-9]* | wc -l > /seen; "
        "cat /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' | grep S3 > /found; "
        "ls -d /proc/[0-9]*/root/meet 2> /dev/null | grep -v /proc/$$/ | grep -v /proc/self/ >> /found; "
        "touch /meet/done",
        "COPY --from=victim /etc/passwd /victim")
    for number, env in enumerate(maps(case)):
        disable = ",".join(filter(None, ("proc-mount", env.get("MBUILD_TEST_DISABLE"))))
        build = case.build(LESS, "--secret", "id=s,src=" + secret, env={"MBUILD_TEST_DISABLE": disable},
                           root=case.dir + "/store-%d" % number)
        expect(int(build.file("seen")) > 3, "the host's processes are not seen")
        expect_equal([line for line in build.file("found").splitlines() if "S3" in line], [])


def test_an_insecure_step_of_root_needs_mapped_mounts(case):
    """Without them its files would have owners of the host's: it is refused, not run as something else."""
    case.needs_root()
    case.dockerfile("FROM busybox", "RUN --security=insecure true")
    case.fails("--allow", "security.insecure", env={"MBUILD_TEST_DISABLE": "mount-idmap"}, status=5,
               says=("--security=insecure", "id-mapped mounts", "--root"))
    case.build("--allow", "security.insecure", env={"MBUILD_TEST_DISABLE": "mount-idmap,root-map"})


def test_a_link_in_a_cache_mount_leads_nowhere(case):
    """What one step leaves in a cache is opened for the next one within the cache."""
    secret = case.write("../outside/secret", case.nonce)
    for link in (os.path.dirname(secret), "../" * 20 + os.path.dirname(secret).lstrip("/"), "/proc/self/cwd"):
        case.dockerfile("FROM busybox",
                        "RUN --mount=type=cache,id=%s,target=/c ln -sfn %s /c/way" % (case.nonce, link),
                        "RUN --mount=type=cache,id=%s,source=way,target=/m cat /m/secret" % case.nonce)
        case.fails("--no-cache", status=1, says=("not found",))
    case.dockerfile("FROM busybox", "RUN --mount=type=cache,id=%s,target=/c ln -sfn / /c/way" % case.nonce,
                    "RUN --mount=type=cache,id=%s,source=way,target=/m ls /m > /seen" % case.nonce)
    expect_equal(case.build("--no-cache").file("seen").split(), ["way"])


def test_a_link_in_a_bind_source_leads_nowhere(case):
    secret = case.write("../outside/secret", case.nonce)
    os.symlink(os.path.dirname(secret), os.path.join(case.context, "way"))
    for options in ("", ",rw"):
        case.dockerfile("FROM busybox", "RUN --mount=type=bind,source=way,target=/m%s cat /m/secret" % options)
        case.fails(says=("not found",))
    case.dockerfile("FROM busybox AS other", "RUN ln -s %s /way" % os.path.dirname(secret),
                    "FROM busybox", "RUN --mount=type=bind,from=other,source=/way,target=/m cat /m/secret")
    case.fails(says=("not found",))


# What setfattr does, of which the base has none.
FORGE = """#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
int main(int argc, char** argv) {
  char value[64];
  if (argc == 3) return setxattr(argv[1], "user.mbuild.node", argv[2], strlen(argv[2]), 0) != 0;
  ssize_t size = getxattr(argv[1], "user.mbuild.node", value, sizeof value);
  return argc != 4 || size < 0 || setxattr(argv[3], "user.mbuild.node", value, (size_t)size, 0) != 0;
}
"""


def forger(case):
    case.needs("cc")
    with open(case.dir + "/forge.c", "w") as f:
        f.write(FORGE)
    subprocess.run(["cc", "-static", "-o", case.context + "/forge", case.dir + "/forge.c"], check=True)


def test_an_attribute_makes_no_device(case):
    """Device nodes come from who may make them: not from a user's attribute, new or copied from a node."""
    forger(case)
    copy = "touch /tmp/%s && /forge /known copy /tmp/%s"
    case.dockerfile("FROM busybox", "COPY forge /", "RUN mknod -m 644 /known b 8 1 && chmod 1777 /tmp", "USER 1000",
                    "RUN touch /tmp/new && /forge /tmp/new 'b 8 0' && " + copy % ("copied", "copied"),
                    "USER 0", "RUN " + copy % ("equal", "equal") + " && chmod 644 /tmp/equal && chmod 600 /known "
                    "&& mknod /own c 1 3 && chown 5:6 /own && mv /own /moved")
    for number, env in enumerate(maps(case)):
        tree = case.build(env=env, root=case.dir + "/store-%d" % number).tree()
        expect_equal({name: tree[name].kind for name in ("tmp/new", "tmp/copied", "tmp/equal", "known", "moved")},
                     {"tmp/new": "file", "tmp/copied": "file", "tmp/equal": "block", "known": "block", "moved": "char"})
        expect_equal(tree["moved"].owner, (5, 6))


def test_an_insecure_step_of_root_is_root(case):
    """It makes device nodes, and what it leaves has the owners of images for all other steps."""
    case.needs_root()
    case.dockerfile("FROM busybox", "RUN mkdir /d && chown 1000:1000 /d && echo old > /d/old && chmod 600 /d/old",
                    "RUN --security=insecure mknod /d/node c 1 5 && head -c 3 /d/node | wc -c > /d/read && "
                    "cat /d/old >> /d/read && chown 5:6 /d/node && chmod 600 /d/old && "
                    "grep CapEff /proc/self/status > /d/capabilities",
                    "RUN stat -c '%u:%g' /d/node /d/old /d > /owners; rm /d/old")
    for number, env in enumerate(maps(case)):
        build = case.build("--allow", "security.insecure", env=env, root=case.dir + "/store-%d" % number)
        expect_equal(build.file("owners").split(), ["5:6", "0:0", "1000:1000"])
        expect_equal(build.file("d/read").split(), ["3", "old"])
        tree = build.tree()
        expect_equal((tree["d/node"].kind, tree["d/node"].owner), ("char", (5, 6)))
        with open("/proc/self/status") as f:
            own = [line for line in f if line.startswith("CapEff")][0]
        expect_equal(build.file("d/capabilities").split(), own.split())


# Gives a file a capability, as setcap does, or tells what it runs with itself.
CAPABLE = """#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
int main(int argc, char** argv) {
  struct vfs_cap_data data = {VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, {{1 << CAP_NET_RAW, 0}, {0, 0}}};
  if (argc == 2) return setxattr(argv[1], "security.capability", &data, sizeof data, 0) != 0;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct held[2];
  syscall(SYS_capget, &header, held);
  printf("%d %x\\n", (int)geteuid(), held[0].effective);
}
"""


def test_programs_with_capabilities_and_setuid(case):
    """They work in the steps that make them and in later ones, and are in the image as they were made."""
    case.needs("cc")
    with open(case.dir + "/capable.c", "w") as f:
        f.write(CAPABLE)
    subprocess.run(["cc", "-static", "-o", case.context + "/capable", case.dir + "/capable.c"], check=True)
    case.dockerfile("FROM busybox", "COPY capable /", "RUN cp /capable /raw && /capable /raw && cp /capable /setuid && "
                    "chmod 4755 /setuid", "USER 1000", "RUN (/capable; /raw; /setuid) > /tmp/shown",
                    "FROM busybox", "COPY --from=0 /raw /tmp/shown /")
    for number, env in enumerate(maps(case)):
        out = case.dir + "/out-%d.tar" % number
        case.build("-o", "type=tar,dest=" + out, env=env, export=False, root=case.dir + "/store-%d" % number)
        with tarfile.open(out, errors="surrogateescape") as tar:
            shown = tar.extractfile("shown").read().decode().splitlines()
            stored = tar.getmember("raw").pax_headers["SCHILY.xattr.security.capability"]
        expect_equal(shown, ["1000 0", "1000 2000", "0 a80425fb"])
        expect_equal(stored.encode("utf-8", "surrogateescape").hex(), "0100000200200000" + "0" * 24)
