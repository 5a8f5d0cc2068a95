"""Many builds on one store."""
import glob
import os
import subprocess

from support import MARK, Build, expect, expect_equal, output_of


def until_it_says(process, text):
    for line in process.stdout:
        if text in line and "RUN" not in line and "Dockerfile" not in line:
            return
    expect(False, "the build ended before it said", text)


def holder(case):
    """A build that runs while the others do, so that what the first of them leaves is in use until the last has begun.
    Calling what is returned ends it."""
    context = case.new_directory("holder")
    with open(os.path.join(context, "Dockerfile"), "w") as f:
        f.write("FROM busybox\nRUN --mount=type=cache,target=/c,id=hold echo be''gun; "
                "while [ ! -e /c/go ]; do sleep 0.1; done\n")
    process = case.start(context=context)
    until_it_says(process, "begun")
    mount, = glob.glob(os.path.join(case.root, "fs", "*", "mounts", "*"))

    def end():
        open(os.path.join(mount, "go"), "w").close()
        text = output_of(process)
        expect_equal(process.returncode, 0, text)

    return end


def test_eight_builds_and_prune(case):
    """Each step is run once in total, and nothing that is in use is pruned meanwhile."""
    case.write("file", "file\n")
    log = "RUN --mount=type=cache,target=/c,id=log echo %s >>/c/log; "
    shared = ["FROM busybox AS base", "COPY file /file", MARK + "/shared", log % "second" + "sleep 0.3; cp /shared /second"]
    contexts = []
    for i in range(4):
        case.write("%d/file" % i, "file\n")
        case.write("%d/Dockerfile" % i, "\n".join(shared + [log % i + "cat /shared /second > /own", "FROM base",
                                                            "COPY --from=base /second /taken"]) + "\n")
        contexts.append("%s/%d" % (case.context, i))
    release = holder(case)
    pruner = subprocess.Popen(["sh", "-c", "while :; do %s prune --root %s -f || exit 1; done" % (case.mbuild, case.root)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        outputs = [case.next_output() for _ in range(8)]
        running = [case.start(*(["--target", "base"] if i < 4 else []), context=contexts[i % 4], output=outputs[i])
                   for i in range(8)]
        builds = []
        for process, output in zip(running, outputs):
            text = output_of(process)
            expect_equal(process.returncode, 0, text)
            builds.append(Build(0, text, output))
        expect(pruner.poll() is None, "prune failed:", pruner.stderr.read() if pruner.poll() is not None else "")
    finally:
        pruner.kill()
        pruner.wait()
        pruner.stderr.close()
    logs = glob.glob(os.path.join(case.root, "fs", "*", "mounts", "*", "log"))
    expect_equal(len(logs), 1, "logs of what ran")
    with open(logs[0]) as f:
        expect_equal(sorted(f.read().split()), ["0", "1", "2", "3", "second"], "steps that ran")
    release()
    expect_equal(len({build.file("shared") for build in builds}), 1, "the shared step was run by more than one build")
    executed = sorted(step for build in builds for step in build.cached_and_executed()[1])
    expect_equal(executed, sorted(set(executed)), "steps that more than one build executed")
    expect_equal(case.work_directories(), [])
