"""Scripts that were written for docker buildx run as they are."""
import json
import os
import subprocess

from support import FOREIGN, HOST, expect, expect_equal, quick


def printed(case, *words, program=None, env=None):
    """(status, standard output, standard error)"""
    done = subprocess.run([program or case.mbuild, *words], cwd=case.dir, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout, done.stderr


# ---- flags

MEANINGLESS = {
    "NOTE": (["--builder", "b"], ["-D"], ["--debug"], ["--compress"], ["--rm"], ["--force-rm"]),
    "WARNING": (["-m", "1g"], ["--memory-swap", "1g"], ["-c", "2"], ["--cpu-shares=2"], ["--cpu-period", "1"],
                ["--cpu-quota", "1"], ["--cpuset-cpus", "0"], ["--cpuset-mems", "0"], ["--resource", "memory=1g"],
                ["--isolation", "default"], ["--security-opt", "x"], ["--squash"], ["--invoke", "bash"],
                ["--cgroup-parent", "/x"]),
}


@quick
def test_flags_without_a_meaning_say_so_in_one_line(case):
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    for kind, flags in MEANINGLESS.items():
        for words in flags:
            text = case.build(*words, "--progress", "quiet").text
            lines = [line for line in text.splitlines() if "has no effect: " in line]
            expect(len(lines) == 1 and lines[0].startswith(kind + ": --"), words, lines)


def test_every_flag_with_a_meaning_is_taken(case):
    case.dockerfile("FROM busybox AS one", "ARG a", "RUN grep -q 10.0.0.9 /etc/hosts && test $a = b && touch /made")
    text = case.build("--add-host", "h=10.0.0.9", "--allow", "network.host", "--annotation", "a=b",
                      "--build-arg", "a=b", "--network", "none", "--label", "x=y", "--target", "one", "--ulimit",
                      "nofile=99:99", "--shm-size", "1m", "--no-cache-filter", "one", "--pull=false", "-t", "name:1",
                      "--iidfile", "iid", "--metadata-file", "meta", "--secret", "id=HOME",
                      "--push=false", "--load=false", "-f", os.path.join(case.context, "Dockerfile")).text
    expect("WARNING" not in text and "NOTE" not in text, text)
    expect(json.load(open(os.path.join(case.dir, "meta")))["containerimage.digest"].startswith("sha256:"), "no digest")
    expect("one" in printed(case, "build", "--print", "targets", case.context)[1], "--print is --call")


def test_attestations_are_said_not_to_be_made(case):
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    text = case.build("--attest", "type=provenance,mode=max", "--attest=type=sbom,generator=x").text
    expect("attestations are not made: the image has no sbom" in text.replace("provenance and no ", ""), text)
    for words in (["--attest", "type=sbom,disabled=true"], ["--sbom=false"], ["--provenance", "false"]):
        expect("attestations are" not in case.build(*words).text, words)
    case.fails("--attest", "type=unknown", status=2, says=["invalid attestation", "provenance and sbom"])


def test_a_policy_is_never_passed_over(case):
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.build("--policy", "disabled=true")
    case.fails("--policy", "filename=p.rego", status=2, says=["not evaluated", "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"])
    case.write("Dockerfile.rego", "package docker")
    expect("Dockerfile.rego is not evaluated" in case.build().text, "no word of a policy beside the Dockerfile")


@quick
def test_caches_of_other_kinds_are_warned_of(case):
    for kind in ("gha", "s3,bucket=b,region=r", "azblob,account_url=u"):
        case.dockerfile("FROM scratch", "COPY Dockerfile /%s" % kind[:2])
        text = case.build("--cache-to", "type=%s,mode=max" % kind, "--cache-from", "type=" + kind).text
        name = kind.partition(",")[0]
        expect("caches of type %s are not written" % name in text, text)
        expect("caches of type %s can't be read" % name in text, text)
    case.fails("--cache-to", "type=nothing", status=2, says=["unknown cache type"])


# ---- commands

@quick
def test_builders_need_not_be_made(case):
    status, out, err = printed(case, "buildx", "create", "--name", "cross", "--driver", "docker-container", "--use",
                               "--bootstrap", "--driver-opt", "network=host", "--platform", "linux/arm64")
    expect_equal((status, out), (0, "cross\n"), err)
    expect_equal(len(err.splitlines()), 1, err)
    for words in (("use", "cross", "--default"), ("buildx", "stop", "cross"), ("buildx", "--builder", "x", "stop"),
                  ("buildx", "rm", "-f", "cross"), ("install",), ("use", "--builder", "x", "y"),
                  ("buildx", "rm", "--all-inactive", "--keep-state", "--force")):
        status, out, err = printed(case, *words)
        expect_equal((status, out), (0, ""), "%s %s" % (words, err))
        expect("nothing had to be done" in err, words, err)
    status, out, err = printed(case, "create")
    expect_equal((status, out), (0, "mbuild\n"), err)
    status, out, err = printed(case, "create", "--append", "ssh://arm")
    expect(status == 0 and "ssh://arm is not used" in err, err)
    status, out, err = printed(case, "create", "--driver", "kubernetes")
    expect(status == 2 and "builds on this machine" in err, status, err)


@quick
def test_the_one_builder_is_shown(case):
    status, out, err = printed(case, "buildx", "inspect", "cross", "--bootstrap")
    expect_equal(status, 0, err)
    platforms = [line for line in out.splitlines() if line.startswith("Platforms:")]
    expect(len(platforms) == 1 and HOST in platforms[0] and FOREIGN in platforms[0], out)
    expect("Name:      cross\n" in out and "Status:    running\n" in out, out)
    expect("mbuild*" in printed(case, "ls")[1], "not the current builder")
    builder = json.loads(printed(case, "buildx", "ls", "--format", "json")[1])
    expect(builder["Current"] and HOST in builder["Nodes"][0]["Platforms"], builder)
    expect_equal(printed(case, "ls", "--format", "{{.Name}}/{{.Status}}")[1], "mbuild/running\n")


def test_other_commands_of_buildx(case):
    version = printed(case, "--version")[1]
    expect_equal(printed(case, "buildx", "version")[:2], (0, version))
    expect_equal(printed(case, "version")[1], version)
    status, out, err = printed(case, "dial-stdio")
    expect(status == 2 and "does not speak its protocol" in err and not out, status, out, err)
    expect_equal(printed(case, "builder", "prune", "-f", "--root", case.root)[0], 0)
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    command = case.command()
    case.check(command[0], "buildx", "--builder", "x", *command[1:])
    expect("du" in printed(case, "buildx", "--help")[1], "no help")


def test_words_of_docker_get_an_answer_and_nothing_destroys(case):
    for word in ("policy", "dap"):
        status, _, err = printed(case, word)
        expect(status == 2 and "did you mean" not in err and len(err.splitlines()) == 2, word, err)
    for word in ("prun", "purge", "prunes"):
        status, _, err = printed(case, word)
        expect(status == 2 and "prune" not in err.replace('"%s"' % word, ""), word, err)
    expect("did you mean build?" in printed(case, "biuld")[2], "no suggestion")


@quick
def test_a_plugin_of_docker(case):
    for name in ("mbuild", "buildx"):
        plugin = os.path.join(case.dir, "docker-" + name)
        os.symlink(os.path.abspath(case.mbuild), plugin)
        metadata = json.loads(printed(case, "docker-cli-plugin-metadata", program=plugin)[1])
        expect(metadata["SchemaVersion"] == "0.1.0" and metadata["Vendor"] and metadata["Version"], metadata)
        case.dockerfile("FROM scratch", "COPY Dockerfile /")
        command = case.command()
        case.check(plugin, "--debug", "-c", "default", name, *command[1:])
        expect("build" in printed(case, name, "--help", program=plugin)[1], "no help")
        # docker compose, and actions of CI, want a buildx that is new enough.
        expect_equal(metadata["Version"].startswith("v0."), name == "buildx")
        version = printed(case, name, "version", program=plugin)[1].split()
        expect(version[1] == (metadata["Version"] if name == "buildx" else "0.1.0"), version)
