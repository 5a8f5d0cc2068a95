"""Steps that run in another process with a store of its own (worker/process_worker.h): the tests of steps pass with
them, too, so that nothing in a task means something on one side only."""
import os

import stores
import test_cache as cache
import test_keys as keys
import test_long_chains as long_chains
import test_run_mounts as run_mounts
import test_whiteouts as whiteouts
from support import MARK, expect, expect_equal, quick

MODULES = (cache, keys, run_mounts, whiteouts, long_chains)
# It removes layers from the store on this side, where those of steps are not.
LOCAL = (keys.test_no_stale_layer_after_eviction,)


def elsewhere(test):
    def run(case):
        case.disabled = "local-worker"
        test(case)
        # Whatever made no RUN and no copy between stages had nothing to be done there.
        expect(os.path.isdir(case.root + ".worker"), "no other process was started")
    return run


for module in MODULES:
    for name, test in list(vars(module).items()):
        if name.startswith("test_") and test not in LOCAL:
            globals()["test_%s_%s" % (module.__name__[5:], name[5:])] = elsewhere(test)


@quick
def test_layers_stay_where_they_were_made(case):
    case.disabled = "local-worker"
    case.dockerfile("FROM busybox AS made", MARK + "/mark", "RUN echo big > /big", "FROM busybox",
                    "COPY --from=made /mark /mark", "RUN cat /mark > /again", "COPY file /file")
    case.write("file", "of the user\n")
    build = case.build()
    expect_equal(build.file("mark"), build.file("again"))
    expect_equal(build.file("file"), "of the user")

    def layers(root):
        return sum(len(os.listdir(os.path.join(root, "fs", name, "layers"))) for name in os.listdir(root + "/fs"))
    # Of the other stage nothing was needed here.
    expect(layers(case.root) < layers(case.root + ".worker"), "all that was made there was fetched")
    again = case.build()
    expect_equal(again.file("mark"), build.file("mark"))
    expect_equal(again.digests(), build.digests())


def test_a_step_that_fails_there_is_told_as_here(case):
    case.disabled = "local-worker"
    case.dockerfile("FROM busybox", "RUN echo last words; exit 3")
    case.fails(status=1, says=("did not complete successfully: exit code: 3", "last words", "Dockerfile:2"))


def test_a_worker_that_lost_its_layers(case):
    case.disabled = "local-worker"
    case.dockerfile("FROM busybox AS made", MARK + "/mark", "FROM busybox", "COPY --from=made /mark /mark")
    before = case.build().file("mark")
    stores.remove(case.root + ".worker")
    case.write("unused", "")
    case.dockerfile("FROM busybox AS made", MARK + "/mark", "FROM busybox", "COPY --from=made /mark /other")
    expect(case.build().file("other") != before, "what was lost was not made anew")
