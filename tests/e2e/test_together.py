"""Many builds on one store."""
import re
import subprocess

from support import HANG, MARK, expect, expect_equal


def test_eight_builds_and_prune(case):
    """Each step is run once in total, and nothing that is in use is pruned meanwhile."""
    case.write("file", "file\n")
    shared = ["FROM busybox AS base", "COPY file /file", MARK + "/shared", "RUN sleep 0.3; cp /shared /second"]
    contexts = []
    for i in range(4):
        case.write("%d/file" % i, "file\n")
        case.write("%d/Dockerfile" % i, "\n".join(shared + ["RUN echo %d; cat /shared /second > /own" % i, "FROM base",
                                                            "COPY --from=base /second /taken"]) + "\n")
        contexts.append("%s/%d" % (case.context, i))
    pruner = subprocess.Popen(["sh", "-c", "while :; do %s prune --root %s -f || exit 1; done" % (case.mbuild, case.root)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        outputs = [case.next_output() for _ in range(8)]
        running = [case.start(context=contexts[i % 4], output=outputs[i]) for i in range(8)]
        texts = []
        for process in running:
            texts.append(process.communicate(timeout=HANG)[0])
            expect_equal(process.returncode, 0, texts[-1])
        expect(pruner.poll() is None, "prune failed:", pruner.stderr.read() if pruner.poll() is not None else "")
    finally:
        pruner.kill()
        pruner.wait()
        pruner.stderr.close()
    from support import Build
    marks = {Build(0, "", output).file("shared") for output in outputs}
    expect_equal(len(marks), 1, "the shared step was run by more than one build")
    ran = sum(1 for text in texts if re.search(r"(?m)^#\d+ DONE", text))
    expect(ran > 0, "nothing was run")
    expect_equal(case.work_directories(), [])
