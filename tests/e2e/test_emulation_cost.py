"""What a build says of its emulated steps: what they cost, what native programs saved, and which need not be."""
import json

from support import BOTH, FOREIGN, expect, expect_equal
from test_accel import debian

# Long enough to be worth a word.
SLOW = "sleep 3.2"


def test_stages_that_need_no_emulation(case):
    case.dockerfile("FROM busybox AS docs", "RUN %s; mkdir /site; echo '<p>text' > /site/index.html" % SLOW,
                    "FROM busybox AS Program", "RUN %s; cp /bin/busybox /program" % SLOW,
                    "FROM busybox AS asks", "RUN %s; [ $(uname -m) ] && echo same > /asks" % SLOW,
                    "FROM busybox AS bound", "RUN %s; echo text > /bound" % SLOW,
                    "FROM busybox AS differs", "RUN %s; cat /proc/sys/kernel/random/uuid > /differs" % SLOW,
                    "# check=skip=EmulatedStage", "FROM busybox AS silent", "RUN %s; echo text > /silent" % SLOW,
                    "FROM busybox AS quick", "RUN echo text > /quick",
                    "FROM busybox AS last", "COPY --from=docs /site /site", "COPY --from=program /program /",
                    "COPY --from=asks /asks /", "COPY --from=differs /differs /", "COPY --from=silent /silent /",
                    "COPY --from=quick /quick /", "RUN --mount=from=bound,target=/bound cat /bound/bound > /copy; " + SLOW)
    lines = [line for line in case.build(platforms=BOTH).text.splitlines() if "EmulatedStage" in line]
    expect(len(lines) == 1 and "stage docs ran" in lines[0] and "for " + FOREIGN in lines[0], lines)
    expect("--platform=$BUILDPLATFORM" in lines[0], lines)
    # What was found in the store took nothing.
    expect("EmulatedStage" not in case.build(platforms=BOTH).text, "advice on steps that did not run")


def emulations(case, *arguments):
    """What the events of steps say of emulation."""
    build = case.build("--progress", "rawjson", *arguments, platforms=(FOREIGN,), plain=False)
    found = []
    for line in build.text.splitlines():
        for vertex in json.loads(line).get("vertexes", []) if line.startswith("{") else []:
            if "emulation" in vertex:
                found.append((vertex["name"], vertex["emulation"]))
    return found


def test_the_cost_of_a_step_for_programs(case):
    case.dockerfile("FROM busybox", "RUN true")
    (name, told), = emulations(case)
    expect("RUN true" in name, name)
    expect_equal((told["platform"], told["native"], told["leastMillisecondsSaved"]), (FOREIGN, 0, 0))
    expect_equal(emulations(case), [])  # cached


def test_what_native_programs_saved(case):
    debian(case, "RUN ls / > /list; cat /list > /copy")
    context = ("--build-context", "debian=oci-layout://%s:debian" % case.bases)
    (_, told), = emulations(case, *context)
    expect(told["native"] >= 2 and told["programs"] >= told["native"], told)
    expect_equal(told["leastMillisecondsSaved"], 12 * told["native"])
    debian(case, "RUN cat /etc/passwd > /other")
    expect(" programs native (saved at least " in case.build(*context, platforms=(FOREIGN,)).text, "not in the summary")
