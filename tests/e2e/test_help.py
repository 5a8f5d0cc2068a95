"""Help, manual pages, completion, the configuration and the doctor, as people and packages use them."""
import json
import os
import re
import shutil
import subprocess

from support import HOST, Skip, expect, expect_equal, quick
from test_docker_scripts import printed
from tmux import Terminal

COMMANDS = (("build",), ("du",), ("prune",), ("images",), ("images", "rm"), ("imagetools",), ("imagetools", "create"),
            ("imagetools", "inspect"), ("merge",), ("verify",), ("doctor",), ("platforms",), ("config",), ("completion",))


@quick
def test_help_is_no_wider_than_80_columns_and_the_same_by_each_name(case):
    for command in ((),) + COMMANDS:
        status, text, err = printed(case, *command, "--help")
        expect_equal((status, err), (0, ""), command)
        wide = [line for line in text.splitlines() if len(line) > 80]
        expect(not wide, command, wide)
        expect(text.startswith("Usage: mbuild" + "".join(" " + word for word in command)), text)
        expect_equal(printed(case, "help", *command)[1], text, command)
    expect_equal(printed(case)[1], printed(case, "--help")[1], "mbuild alone")


@quick
def test_the_first_help_fits_a_screen_and_has_what_people_need(case):
    text = printed(case, "--help")[1]
    expect(len(text.splitlines()) <= 40, len(text.splitlines()), text)
    for needed in ("--push .", "--load .", "mbuild doctor"):
        expect(needed in text, "no", needed)
    text = printed(case, "build", "--help")[1]
    expect(re.search(r"(?m)^Most used:\n  -t, --tag NAME ", text), text)
    expect("Examples:\n  mbuild build -t app --load .\n" in text, text)


def test_help_in_a_narrow_terminal(case):
    lines = Terminal(case, [case.mbuild, "du", "--help"], columns=40, rows=60).wait_for("[status 0]")
    expect(all(len(line) <= 40 for line in lines) and any("--filter F" in line for line in lines), lines)


@quick
def test_a_command_that_a_command_does_not_have(case):
    status, _, err = printed(case, "history", "prune")
    expect(status == 2 and 'history has no command "prune"' in err, err)
    status, _, err = printed(case, "help", "biuld")
    expect(status == 2 and "did you mean build?" in err, err)


@quick
def test_wrong_words_are_told_of_once_and_by_all_options(case):
    done = case.run([case.mbuild, "build", "--squash", "--builder", "x", "--no-cach", case.dir])
    expect_equal(done.text.splitlines()[0], "ERROR: unknown flag: --no-cach (did you mean --no-cache?)")
    done = case.run([case.mbuild, "build", "--squash", "--builder", "x", case.dir])
    expect_equal([done.text.count(flag) for flag in ("--squash", "--builder")], [1, 1], done.text)
    expect("--no-cache" in case.check(case.mbuild, "build", "-qh"), "the help of a letter among others")
    for flag in ("--no-cache=maybe", "--pull=2", "--quiet=yes"):
        name, _, value = flag.partition("=")
        case.fails_to_run([case.mbuild, "build", flag, case.dir], 'invalid argument "%s" for "%s" flag' % (value, name))


def test_completion_scripts(case):
    for shell in ("bash", "zsh", "fish"):
        script = printed(case, "completion", shell)[1]
        expect("imagetools" in script and "platform" in script, shell, script)
        if shutil.which(shell):
            path = os.path.join(case.dir, shell)
            with open(path, "w") as f:
                f.write(script)
            case.check(shell, "-n", path)
    case.needs("bash")
    ask = "source %s; COMP_WORDS=(mbuild %s); COMP_CWORD=%d; _mbuild; printf '%%s\\n' \"${COMPREPLY[@]}\""

    def completed(*words):
        text = case.check("bash", "-c", ask % (os.path.join(case.dir, "bash"), " ".join(words), len(words)))
        return text.split()
    expect_equal(completed("bui"), ["build"])
    expect("--platform" in completed("build", "--pl"), "no flags")
    expect_equal(completed("images", "r"), ["rm"])
    expect("create" in completed("imagetools", "''"), "no commands below")
    expect_equal(printed(case, "completion", "ash")[0], 2)


@quick
def test_manual_pages(case):
    page = printed(case, "man")[1]
    expect(page.startswith(".TH \"MBUILD\" 1") and ".SH \"MBUILD IMAGES RM\"" in page, page[:200])
    expect(printed(case, "man", "build")[1].startswith(".TH \"MBUILD-BUILD\" 1"), "no page of a command")
    expect_equal(printed(case, "man", "nothing")[0], 2)
    if not shutil.which("groff"):
        raise Skip("no groff")
    done = subprocess.run(["groff", "-man", "-Tascii", "-ww", "-z"], input=page, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    expect_equal((done.returncode, done.stdout), (0, ""), "what groff says")


# ---- mbuild config

def configured(case, text, env=None, *words):
    path = os.path.join(case.dir, "config.toml")
    with open(path, "w") as f:
        f.write(text)
    status, out, err = printed(case, "config", "--format", "json", "--root", case.root, *words,
                               env=dict(env or {}, MBUILD_CONFIG=path))
    expect_equal(status, 0, err)
    return path, {each["name"]: (each["value"], each["from"]) for each in json.loads(out)}


@quick
def test_the_configuration_with_the_origin_of_each_value(case):
    path, found = configured(case, "[build]\njobs = 3\nprogress = \"plain\"\n[registry.\"a.example\"]\nplain-http = true\n",
                             {"BUILDKIT_PROGRESS": "tty"})
    expect_equal(found["store"], (case.root, "--root"))
    expect_equal(found["build.jobs"], ("3", path))
    expect_equal(found["build.progress"], ("tty", "$BUILDKIT_PROGRESS"))
    expect_equal(found["gc.enabled"], ("true", "default"))
    expect_equal(found['registry."a.example".plain-http'], ("true", path))
    status, out, err = printed(case, "config", "--root", case.root, env={"MBUILD_CONFIG": path})
    expect(status == 0 and re.search(r"(?m)^build\.jobs +3 +%s$" % re.escape(path), out), out, err)


def test_builds_do_as_configured_unless_told_otherwise(case):
    from support import FOREIGN
    path, _ = configured(case, "[build]\nplatforms = [\"%s\"]\noutputs = [\"type=local,dest=%s/out\"]\n"
                         "progress = \"quiet\"\n" % (FOREIGN, case.dir))
    case.dockerfile("FROM scratch", "ARG TARGETPLATFORM", "WORKDIR /$TARGETPLATFORM")
    command = [case.mbuild, "build", "--root", case.root]
    build = case.run(command + [case.context], env={"MBUILD_CONFIG": path})
    expect_equal((build.status, build.text), (0, ""))
    expect_equal(os.listdir(os.path.join(case.dir, "out")), [FOREIGN.split("/")[0]])
    expect(os.path.isdir(os.path.join(case.dir, "out", FOREIGN)), "not for the platform")
    build = case.run(command + ["--platform", HOST, "-o", "other", "--progress", "plain", case.context],
                     env={"MBUILD_CONFIG": path})
    expect(build.status == 0 and "#1" in build.text, build.text)
    expect(os.path.isdir(os.path.join(case.dir, "other", HOST)), "flags do not count more")
    case.dockerfile("FROM scratch")
    configured(case, "[build]\noutputs = [\"type=nothing\"]\n")
    build = case.run(command + [case.context], env={"MBUILD_CONFIG": path})
    expect(build.status == 2 and "config.toml: build.outputs" in build.text, build.text)


# ---- mbuild doctor

@quick
def test_the_doctor_for_programs_and_the_one_next_thing(case):
    status, out, err = printed(case, "doctor", "--format", "json", "--root", case.root)
    found = json.loads(out)
    expect_equal(found["canRun"], status == 0)
    names = {check["name"] for check in found["checks"]}
    expect({"userns", "overlay", "proc-mount"} <= names or status == 5, names)
    text = printed(case, "doctor", "--root", case.root)[1]
    last = text.splitlines()[-1]
    if "next" in found:
        expect_equal(last, "Next (%s): %s" % (found["next"]["title"], found["next"]["remedy"]))
    else:
        expect_equal(last, "Nothing has to be done.")
    status, out, err = printed(case, "doctor", "--format", "json", "--root", case.root,
                               env={"MBUILD_TEST_DISABLE": "userns"})
    found = json.loads(out)
    expect(status == 5 and not found["canRun"] and found["next"]["title"] == "user namespaces", status, found)
