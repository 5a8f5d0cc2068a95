"""Programs that begin before their network is there, where pasta has made one before in the same circumstances."""
import os
import shutil

from support import FOREIGN, HOST, Skip, expect, expect_equal
from test_container_faults import expect_nothing_left
from test_containers import image, mbuild, start

DEFAULT_ROUTE = "ip route | grep -c '^default'"


def with_pasta(case, *before):
    """An environment in which pasta does something before its work, and a directory that it and containers share."""
    case.needs("pasta")
    if case.run(["ip", "route", "show", "default"]).text.strip() == "":
        raise Skip("this host has no way out that pasta could lead to")
    programs, shared = case.new_directory("programs"), case.new_directory("shared")
    os.chmod(shared, 0o777)
    script = os.path.join(programs, "pasta")
    with open(script, "w") as f:
        f.write("#!/bin/sh\ncd %s\n%s\nexec %s \"$@\"\n" % (shared, "\n".join(before), shutil.which("pasta")))
    os.chmod(script, 0o755)
    return {"PATH": programs + ":" + os.environ["PATH"]}, shared


def run(case, env, *words, flags=(), platform=HOST):
    return case.run([case.mbuild, "run", "--rm", "--root", case.root, "--platform", platform, *flags, image(case),
                     *words], env=env)


def prove(case, env):
    done = run(case, env, "sh", "-c", DEFAULT_ROUTE)
    expect_equal((done.status, done.text.strip()), (0, "1"), "the first run")
    if not os.path.exists(os.path.join(case.root, "network")):
        raise Skip("pasta makes no network here")


# After its first time pasta waits for a file that the program makes.
WAITS = ("[ ! -e proven ] || until [ -e go ]; do sleep 0.02; done",)


def test_what_needs_no_network_does_not_wait_for_it(case):
    env, shared = with_pasta(case, *WAITS)
    prove(case, env)
    open(os.path.join(shared, "proven"), "w").close()
    for platform in (HOST, FOREIGN):
        done = run(case, env, "sh", "-c", "wc -l < /proc/net/route; touch /s/go; " + DEFAULT_ROUTE, platform=platform,
                   flags=("-v", shared + ":/s"))
        expect_equal((done.status, done.text.split()), (0, ["1", "1"]), "lines of the routes, and default routes")
        os.unlink(os.path.join(shared, "go"))
    done = run(case, env, "echo", "all of it")
    expect_equal((done.status, done.text), (0, "all of it\n"))
    expect_nothing_left(case)


def test_programs_that_are_executed_at_once_have_the_network(case):
    env, shared = with_pasta(case, *WAITS)
    prove(case, env)
    open(os.path.join(shared, "proven"), "w").close()
    name = case.check(case.mbuild, "run", "-d", "--root", case.root, "-v", shared + ":/s", image(case), "sh", "-c",
                      "sleep 0.3; touch /s/go; exec sleep 9999", env=env).strip()
    expect_equal(mbuild(case, "exec", name, "cat", "/proc/net/dev").count("eth0"), 1, "interfaces of a program")
    other = start(case, "sh", "-c", DEFAULT_ROUTE, flags=("--network", "container:" + name, "--name", "other"))
    mbuild(case, "wait", other)
    expect_equal(mbuild(case, "logs", "other").strip(), "1", "default routes in the network of another container")
    mbuild(case, "rm", "-f", name, "other")
    expect_nothing_left(case)


def test_a_network_that_does_not_come(case):
    """The program ends, with the reason; the next one waits, and has what there is without pasta."""
    env, shared = with_pasta(case, "[ ! -e broken ] || { until [ -e go ]; do sleep 0.02; done; echo 'out of order' >&2; exit 1; }")
    prove(case, env)
    open(os.path.join(shared, "broken"), "w").close()
    done = run(case, env, "sh", "-c", "echo begun; touch /s/go; ip route; sleep 9999",
               flags=("-v", shared + ":/s"))
    expect_equal(done.status, 125, "the status")
    expect("begun" in done.text, "the program:", done.text)
    expect("the network came to nothing: pasta: out of order" in done.text, "the reason:", done.text)
    expect("Run the command again" in done.text, "the remedy:", done.text)
    done = run(case, env, "echo", "again")
    expect_equal(done.status, 0, "the next one")
    os.unlink(os.path.join(shared, "broken"))
    prove(case, env)
    expect_nothing_left(case)


def test_a_network_that_does_not_come_in_the_background(case):
    """Its log has the reason, and it is started again as any program that ends."""
    env, shared = with_pasta(case, "[ ! -e broken ] || { until [ -e go ]; do sleep 0.02; done; rm broken go; exit 1; }")
    prove(case, env)
    open(os.path.join(shared, "broken"), "w").close()
    case.check(case.mbuild, "run", "-d", "--restart", "on-failure:3", "--name", "one", "--root", case.root, "-v",
               shared + ":/s", image(case), "sh", "-c", "echo begun; touch /s/go; ip route | wc -l; exit 0", env=env)
    mbuild(case, "wait", "one")
    log = mbuild(case, "logs", "one")
    expect_equal(log.count("begun"), 2, "lives: " + log)
    expect("the network came to nothing: pasta: exit status 1" in log, log)
    expect("Exited (0)" in mbuild(case, "ps", "-a"), "the state")
    mbuild(case, "rm", "one")
    expect_nothing_left(case)


def test_steps_begin_before_their_network(case):
    env, shared = with_pasta(case, "[ ! -e proven ] || sleep 0.3")
    case.dockerfile("FROM busybox", "ARG N", "RUN %s > /routes; echo $N" % DEFAULT_ROUTE)
    build = case.build("--build-arg", "N=1", env=env)
    open(os.path.join(shared, "proven"), "w").close()
    for number, disabled in ((2, ""), (3, "early-start"), (4, "seccomp-listener")):
        build = case.build("--build-arg", "N=%d" % number, env={**env, "MBUILD_TEST_DISABLE": disabled})
        expect_equal(build.file("routes"), "1", "default routes of a step, without " + disabled)
