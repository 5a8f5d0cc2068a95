"""The architecture audit of a build: what of an image's programs can't run on its platform, and who brought it."""
import os
import struct

import oci
from support import FOREIGN, HOST, MACHINE, expect, expect_equal, quick

ELF_MACHINE = {"x86_64": 62, "aarch64": 183}


def program(platform, loader=None, kind=2):
    """A 64-bit ELF file without code; kind 3 is a shared object."""
    content = loader.encode() + b"\0" if loader else bytes(16)  # the end of a dynamic section
    segments = 1 if loader or kind == 3 else 0
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", kind, ELF_MACHINE[MACHINE[platform]], 1, 0, 64, 0, 0, 64, 56, segments, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 3 if loader else 2, 4, 120, 0, 0, len(content), len(content), 8)
    return header + (segment + content) * segments


def lines_of(build, rule):
    return [line.strip() for line in build.text.splitlines() if rule + ":" in line]


@quick
def test_what_steps_bring_is_refused(case):
    """All files at fault are told at once, with the layer and the line that made it; so is a shared object."""
    for name in ("a", "b", "c", "d", "e"):
        case.write("bin/" + name, program(FOREIGN), 0o755)
    case.write("lib.so", program(FOREIGN, kind=3))
    case.write("fine", program(HOST), 0o755)
    case.dockerfile("FROM busybox", "COPY fine /", "COPY bin /opt/", "RUN true", "COPY lib.so /lib/")
    build = case.fails(status=1, says=["/opt/a is a", "/opt/b, /opt/c, 2 more", "/lib/lib.so is a shared object",
                                       "(Dockerfile:3, layer sha256:", "(Dockerfile:5, layer sha256:", "--arch-allow", FOREIGN.split("/")[1]])
    expect("/fine" not in build.text, "a file of the right platform was reported")
    case.build("--arch-allow=/opt/*", "--arch-allow", "*.so")
    case.fails("--arch-allow=/opt/*", status=1, says=["lib.so", "Dockerfile:5"])
    warned = case.build("--arch-check=warn")
    expect_equal(len(lines_of(warned, "ForeignArchitecture")), 2, warned.text)
    expect("(Dockerfile:3)" in warned.text, "the line is not named")
    expect_equal(lines_of(case.build("--arch-check=off"), "ForeignArchitecture"), [])


def test_what_the_image_does_not_show_is_not_reported(case):
    case.write("tool", program(FOREIGN), 0o755)
    case.write("right", program(HOST), 0o755)
    case.dockerfile("FROM busybox", "COPY tool /opt/tool", "COPY tool /opt/two", "RUN rm /opt/tool",
                    "COPY right /opt/two")
    for _ in range(2):  # the second time all is cached
        expect_equal(lines_of(case.build(), "ForeignArchitecture"), [])


def test_what_the_base_brought_is_a_warning(case):
    """As far as it is known: a layer that nobody unpacked is not fetched for the audit's sake."""
    case.write("tool", program(FOREIGN), 0o755)
    case.dockerfile("FROM busybox", "COPY tool /opt/tool")
    layout = os.path.join(case.dir, "base")
    case.build("--arch-check=off", "-t", "base:1", "-o", "type=oci,tar=false,dest=" + layout, export=False)
    digest = list(oci.Layout(layout).images().values())[0][1]["layers"][-1]["digest"]
    context = ("--build-context", "base=oci-layout://%s:1" % layout)
    case.dockerfile("FROM base", "RUN echo x > /x")
    for _ in range(2):
        told = lines_of(case.build(*context, root=case.dir + "/other"), "ForeignArchitecture")
        expect_equal(len(told), 1)
        expect("/opt/tool" in told[0] and "(layer %s, of the base image)" % digest in told[0], told)
    expect_equal(lines_of(case.build("--arch-allow=/opt/tool", *context, root=case.dir + "/other"),
                          "ForeignArchitecture"), [])


def test_programs_without_their_interpreter(case):
    """A loader or a script's interpreter that no layer has, or that is a link to nowhere, is a warning."""
    case.write("app", program(HOST, "/lib/ld-test.so.1"), 0o755)
    case.write("run", "#!/opt/python -u\nprint()\n", 0o755)
    case.write("data", "#!/opt/python\n", 0o644)
    copies = ("COPY app run data /app/",)
    case.dockerfile("FROM scratch", *copies)
    for _ in range(2):
        told = lines_of(case.build(), "MissingInterpreter")
        expect_equal(len(told), 2, told)
        expect(any("/app/app" in line and "/lib/ld-test.so.1" in line and "(Dockerfile:2)" in line for line in told),
               told)
        expect(any("/app/run is a script that needs /opt/python" in line for line in told), told)
    os.makedirs(os.path.join(case.context, "links", "real"))
    os.symlink("/real", os.path.join(case.context, "links", "lib"))
    os.symlink("ld.so", os.path.join(case.context, "links", "real", "ld-test.so.1"))
    case.dockerfile("FROM scratch", "COPY data /real/ld.so", "COPY data /opt/python", "COPY links /", *copies)
    expect_equal(lines_of(case.build(), "MissingInterpreter"), [])
    case.dockerfile("FROM scratch", *copies)
    expect_equal(lines_of(case.build("--arch-allow", "/app/*"), "MissingInterpreter"), [])
    # What a base has that nothing unpacked is not known.
    case.dockerfile("FROM busybox", "COPY --link app run data /app/")
    expect_equal(lines_of(case.build(root=case.dir + "/fresh"), "MissingInterpreter"), [])
    case.dockerfile("FROM busybox", *copies)
    expect_equal(len(lines_of(case.build(root=case.dir + "/fresh"), "MissingInterpreter")), 2)


@quick
def test_base_of_another_platform(case):
    """Told with every output and with none, from the cache too; an error where the check is asked for."""
    case.dockerfile("FROM --platform=%s busybox AS base" % HOST, "FROM base", "COPY Dockerfile /")
    directory = case.new_directory("out")
    for output in ("cacheonly", "oci,dest=" + case.dir + "/o.tar", "image", "local,dest=" + directory):
        for arguments in ((), ("--arch-check=warn",)):
            build = case.build("-o", "type=" + output, *arguments, platforms=(FOREIGN,), export=False)
            told = lines_of(build, "InvalidBaseImagePlatform")
            expect_equal(len(told), 1, build.text)
            expect('pulled with platform "%s", expected "%s"' % (HOST, FOREIGN) in told[0], told)
    expect_equal(lines_of(case.build(platforms=(HOST,)), "InvalidBaseImagePlatform"), [])
    expect_equal(lines_of(case.build("--arch-check=off", platforms=(FOREIGN,)), "InvalidBaseImagePlatform"), [])
    case.fails("--arch-check=error", platforms=(FOREIGN,), status=1, says=["pulled with platform", "Dockerfile:1", "--platform"])
    case.fails("--arch-check=sure", status=2, says=["error, warn or off"])
