"""build --explain: why a step ran, by name."""
import os
import re
import shutil

from support import BOTH, expect_equal, quick


def why(build):
    """{instruction: reasons} of what --explain prints."""
    return dict(re.findall(r"(?m)^ - \[[^\]]*\] (.*)\n {5}(.*)$", build.text))


def project(case):
    case.write("src/a.txt", "a\n")
    case.write("src/b.txt", "b\n")
    case.dockerfile("FROM busybox AS builder", "ARG FLAVOUR=plain", "COPY src/ /src/", "RUN cat /src/a.txt >/out",
                    "FROM busybox", "WORKDIR /app", "COPY --from=builder /out /app/out")


COPY, RUN, WORKDIR = "COPY src/ /src/", "RUN cat /src/a.txt >/out", "WORKDIR /app"
LAST = "COPY --from=builder /out /app/out"


@quick
def test_files_and_what_follows_from_them(case):
    project(case)
    expect_equal(why(case.build("--explain", export=False)),
                 {step: "never built before" for step in (COPY, RUN, WORKDIR, LAST)})
    again = case.build("--explain", export=False)
    expect_equal(why(again), {})
    expect_equal("No step ran: 4 steps from the cache." in again.text, True)
    case.write("src/a.txt", "other\n")
    case.write("src/b.txt", "b\n", 0o600)
    case.write("src/c.txt", "c\n")
    expect_equal(why(case.build("--explain", export=False)),
                 {COPY: "src/a.txt changed, src/b.txt has mode 0600, had 0644, src/c.txt is new",
                  RUN: "the state after [builder 2/3] COPY src/ /src/ changed",
                  LAST: "/out of the result of [builder 3/3] RUN cat /src/a.txt >/out changed"})
    case.write("src/b.txt", "b\n")
    os.unlink(os.path.join(case.context, "src", "c.txt"))
    expect_equal(why(case.build("--explain", export=False)),  # RUN reads neither, but might have
                 {COPY: "src/b.txt has mode 0644, had 0600, src/c.txt is gone",
                  RUN: "the state after [builder 2/3] COPY src/ /src/ changed"})


def test_settings_and_flags(case):
    project(case)
    case.build("--explain", export=False)
    expect_equal(why(case.build("--explain", "--build-arg", "FLAVOUR=sweet", export=False)),
                 {RUN: "variable FLAVOUR changed"})
    expect_equal(why(case.build("--explain", "--no-cache", export=False))[WORKDIR], "--no-cache")
    expect_equal(why(case.build("--explain", "--no-cache-filter", "builder", export=False)),
                 {step: "--no-cache-filter names its stage" for step in (COPY, RUN)})


def test_an_instruction_put_in_between(case):
    project(case)
    case.build(export=False)  # what is remembered does not depend on --explain
    with open(os.path.join(case.context, "Dockerfile")) as f:
        text = f.read()
    case.write("Dockerfile", text.replace("WORKDIR /app", "RUN echo hello >/hello\nWORKDIR /app"))
    expect_equal(why(case.build("--explain", export=False)), {"RUN echo hello >/hello": "never built before"})
    case.write("Dockerfile", text.replace("WORKDIR /app", "RUN echo hullo >/hello\nWORKDIR /app"))
    expect_equal(why(case.build("--explain", export=False)), {"RUN echo hullo >/hello": "its text changed"})


def test_eviction_and_another_base(case):
    project(case)
    case.build(export=False)
    for name in os.listdir(os.path.join(case.root, "fs")):
        shutil.rmtree(os.path.join(case.root, "fs", name, "layers"), ignore_errors=True)
    expect_equal(why(case.build("--explain", export=False))[RUN], "its result is no longer in the store")
    other = "--build-context=busybox=oci-layout://" + case.derived_base("other", "RUN echo other >/etc/other")
    case.dockerfile("FROM busybox", "RUN true")
    case.build(export=False)
    expect_equal(why(case.build("--explain", other, export=False)),
                 {"RUN true": "base image oci-layout://%s changed" % other.split("://")[1]})


def test_a_failed_step_is_explained_and_not_remembered(case):
    project(case)
    case.build(platforms=BOTH, export=False)
    case.dockerfile("FROM busybox AS builder", "ARG FLAVOUR=plain", "COPY src/ /src/", "RUN exit 3",
                    "FROM busybox", "WORKDIR /app", "COPY --from=builder /src /app/out")
    for _ in range(2):
        expect_equal(why(case.fails("--explain", status=1, export=False))["RUN exit 3"], "its text changed")
