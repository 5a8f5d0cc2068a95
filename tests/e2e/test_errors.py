"""Every failure says what happened, where, and what to do; the exit status tells its class."""
import os

from support import BOTH, FOREIGN, HOST, expect, quick

STEP, USAGE, NETWORK, STORE, HOST_CANNOT = 1, 2, 3, 4, 5


@quick
def test_no_dockerfile(case):
    case.fails(says=["Dockerfile"], export=False)


@quick
def test_unknown_instruction(case):
    case.dockerfile("FROM busybox", "COPPY a b")
    case.fails(says=["unknown instruction", "COPPY", "Dockerfile:2"])


def test_syntax_error_shows_the_line(case):
    case.dockerfile("FROM busybox", "RUN true", "ENV")
    case.fails(says=["ENV", "Dockerfile:3"])


def test_missing_base(case):
    case.dockerfile("FROM localhost:1/no/such/base:1")
    case.fails(status=NETWORK, says=["localhost:1/no/such/base:1"])


def test_missing_name_in_layout(case):
    case.dockerfile("FROM other")
    case.fails("--build-context", "other=oci-layout://%s:nothing" % case.bases, says=["nothing"])


@quick
def test_missing_file_in_context(case):
    case.dockerfile("FROM busybox", "COPY nothing /")
    case.fails(says=["nothing", "not found", "Dockerfile:2"])


@quick
def test_failing_step(case):
    case.dockerfile("FROM busybox", "RUN echo last words; exit 3")
    case.fails(status=STEP, says=["last words", "RUN echo last words", "3", "Dockerfile:2"])


def test_failing_emulated_step(case):
    case.dockerfile("FROM busybox", "RUN exit 4")
    case.fails(status=STEP, says=["4", FOREIGN], platforms=BOTH)


def test_program_that_is_not_there(case):
    case.dockerfile("FROM busybox", 'RUN ["/no/such/program"]')
    case.fails(status=STEP, says=["/no/such/program"])


def test_malformed_tags_and_a_directory_as_dockerfile(case):
    case.dockerfile("FROM scratch")
    case.fails("-t", "Bad Name", status=USAGE, says=["invalid tag", "invalid reference format"])
    case.fails("-t", "x/UPPER", status=USAGE, says=["invalid tag"])
    case.fails("-f", case.context, status=USAGE, says=["is a directory"])


def test_flags_without_a_meaning_and_flags_given_twice(case):
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    text = case.build("--rm", "--memory", "1g", "-c", "3", "--squash", "--progress", "quiet", "--target", "x",
                      "--target", "").text
    expect("--memory has no effect" in text and "--squash has no effect" in text, "no word of what is not done")
    expect("NOTE: --rm has no effect" in text, "no word of --rm")
    expect("#1" not in text, "the last --progress does not count")


def test_malformed_platform(case):
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.fails(status=USAGE, says=["linux/a/b/c"], platforms=("linux/a/b/c",))


def test_unknown_flag(case):
    case.fails("--no-such-flag", status=USAGE, says=["--no-such-flag"])


def without_emulators(case):
    """What goes before a command so that it finds no emulator: every QEMU on this host is hidden from it."""
    case.needs_root()
    return ["unshare", "--mount", "sh", "-euc",
            'for f in /usr/bin/qemu-* /usr/libexec/qemu-binfmt/*; do [ ! -f "$f" ] || mount --bind /dev/null "$f"; done; '
            'umount /proc/sys/fs/binfmt_misc 2>/dev/null || true; exec "$@"', "sh"]


def test_platform_without_emulator(case):
    case.dockerfile("FROM busybox", "RUN true")
    case.fails(status=HOST_CANNOT, says=[FOREIGN, "qemu-user-static"], platforms=(FOREIGN,),
               prefix=without_emulators(case))


def test_copy_needs_no_emulator(case):
    case.write("data", "x")
    case.dockerfile("FROM busybox", "COPY data /data")
    build = case.attempt(platforms=BOTH, prefix=without_emulators(case))
    expect(build.status == 0, "the build failed")
    expect("data" in build.tree(FOREIGN), "no file")


def test_no_user_namespaces(case):
    case.dockerfile("FROM busybox", "RUN true")
    case.fails(status=HOST_CANNOT, says=["namespace"], env={"MBUILD_TEST_DISABLE": "userns"})


def test_base_of_another_architecture(case):
    """Its programs are named before a step fails in a puzzling way."""
    case.dockerfile("FROM busybox", "RUN true")
    case.fails(says=[FOREIGN, HOST.split("/")[1], "busybox"], platforms=(FOREIGN,), bases=case.relabelled_base())


def test_file_of_another_architecture(case):
    """Copied programs of the wrong architecture are found when the image is written."""
    case.dockerfile("FROM --platform=$BUILDPLATFORM busybox AS tool", "FROM scratch",
                    "COPY --from=tool /bin/busybox /bin/tool")
    case.fails(says=["/bin/tool", HOST.split("/")[1], FOREIGN.split("/")[1], "Dockerfile:3"], platforms=(FOREIGN,))
    case.build("--arch-check=off", platforms=(FOREIGN,))


def test_full_disk(case):
    case.needs_root()
    case.write("big", os.urandom(6 << 20))
    case.dockerfile("FROM busybox", "COPY big /big")
    mounted = ["unshare", "--mount", "sh", "-euc",
               'mkdir -p "$0"; mount -t tmpfs -o size=9m none "$0"; "$@" && exit 99 || echo "status $?"; '
               'mount -o remount,size=200m none "$0"; "$@"', case.root]
    build = case.attempt(prefix=mounted)
    expect(build.status == 0, "after space was made the build failed with status", build.status)
    expect("status %d" % STORE in build.text, "not the exit status of a full store")
    expect("no space left" in build.text.lower(), "the message does not say that the disk is full")
    expect(len(build.tree()["big"].data) == 6 << 20, "the file is not whole")


def test_nobody_can_be_told(case):
    """Where nothing can be printed the exit status says what happened; it is no crash."""
    case.dockerfile("FROM busybox", "RUN echo a; echo b")
    for name, command in (("build", case.command()), ("du", [case.mbuild, "du", "--root", case.root])):
        result = case.run(["sh", "-c", "exec \"$@\" >/dev/full 2>&1", "sh"] + command)
        expect(0 <= result.status < 128, name, "ended with status", result.status)
    case.build()


def test_a_mistyped_stage_is_suggested_before_a_registry_is_asked(case):
    case.dockerfile("FROM scratch AS build", "COPY Dockerfile /", "FROM scratch", "COPY --from=biuld /Dockerfile /")
    env = {name: "http://127.0.0.1:1" for name in ("HTTPS_PROXY", "https_proxy")}  # no registry is reached
    build = case.fails(env=env, says=["biuld is no stage and no context", "did you mean build?"])
    expect(build.text.index("did you mean build?") < build.text.index("ERROR"), "said too late")
    case.dockerfile("FROM scratch", "RUN --mount=from=shard,target=/x true")
    case.fails("--build-context", "shared=" + case.dir, env=env, says=["did you mean shared?"])


def test_the_step_and_the_platform_that_failed_are_named(case):
    case.dockerfile("FROM busybox", "ARG TARGETARCH", "RUN test $TARGETARCH != %s" % FOREIGN.split("/")[1])
    build = case.fails(platforms=(HOST, FOREIGN), status=1)
    error = [line for line in build.text.splitlines() if line.startswith("ERROR: ")]
    expect(len(error) == 1 and "[%s 2/2] RUN test" % FOREIGN in error[0], build.text)
    case.dockerfile("FROM busybox", "RUN --mount=type=secret,id=token,required=true true")
    case.fails(says=["token", "RUN --mount=type=secret"])
    case.dockerfile("FROM busybox", "COPY none /")
    case.fails(says=["[2/2] COPY none /: "])
