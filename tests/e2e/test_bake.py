"""Several targets of one definition file, built as one graph."""
import functools
import http.server
import json
import os
import re
import tarfile
import threading

from support import FOREIGN, HOST, MARK, Build, expect, expect_equal, quick


def definition(case, text, name="docker-bake.hcl"):
    """A definition whose targets can inherit from "_base", which knows the busybox image."""
    base = 'target "_base" {\n  contexts = { busybox = "oci-layout://%s:busybox" }\n}\n' % case.bases
    return case.write(name, base + text)


def attempt(case, *arguments, env=None):
    command = [case.mbuild, "bake", "--root", case.root, "--progress", "plain", "--allow", "fs=*"]
    return case.run(command + list(arguments), cwd=case.context, env=env)


def bake(case, *arguments, env=None):
    result = attempt(case, *arguments, env=env)
    expect_equal(result.status, 0, "exit status")
    return result


def image(case, name):
    return Build(0, "", os.path.join(case.context, name))


def printed(case, *arguments, env=None):
    command = [case.mbuild, "bake", "--print"] + list(arguments)
    text = case.run(command, cwd=case.context, env=env).text
    return json.loads(text[text.index("\n{") + 1 if "\n{" in text else 0:])


@quick
def test_shared_stage_runs_once(case):
    """What targets share is one step, whichever of them it is of."""
    case.dockerfile("FROM busybox AS shared", MARK + "/shared", "FROM shared AS a", "RUN echo a > /own",
                    "FROM shared AS b", "RUN echo b > /own")
    definition(case, '''
target "image" {
  name = stage
  matrix = { stage = ["a", "b"] }
  inherits = ["_base"]
  target = stage
  output = ["type=oci,dest=${stage}.tar"]
}''')
    result = bake(case, "image")
    executed = [step for step in result.cached_and_executed()[1] if "/shared" in step]
    expect_equal(len(executed), 1, "executions of the shared stage")
    a, b = image(case, "a.tar"), image(case, "b.tar")
    expect_equal(a.file("shared"), b.file("shared"), "the shared stage was executed twice")
    expect_equal((a.file("own"), b.file("own")), ("a", "b"))
    again = bake(case, "image")
    expect_equal(again.cached_and_executed()[1], [], "steps that ran again")


@quick
def test_flags_that_are_empty(case):
    """Scripts write flags with variables that may not be set: such a flag is not there, or an error names it."""
    definition(case, 'target "a1" {}\ntarget "b1" {}\n')
    unset = ["--provenance=", "--sbom=", "--progress=", "--metadata-file=", "--call=", "--list="]
    expect_equal(sorted(printed(case, "-f=docker-bake.hcl", *unset, "[ab]1")["target"]), ["a1", "b1"])
    for flag in ("--push=", "--no-cache="):
        refused = attempt(case, "--print", flag, "a1")
        expect_equal(refused.status, 1)
        expect('invalid argument "" for "%s" flag' % flag[:-1] in refused.text, refused.text)
    wrong = attempt(case, "--print", "--progress=bad", "a1")
    expect_equal(wrong.status, 1)
    expect("invalid progress mode bad" in wrong.text, wrong.text)


@quick
def test_context_of_another_target(case):
    """"target:NAME" is the other's image, which is built for it and written nowhere."""
    case.write("base/Dockerfile", "FROM busybox\nENV FROM_BASE=yes\n" + MARK + "/mark\n")
    case.write("app/Dockerfile", "FROM base\nRUN echo $FROM_BASE > /seen\n")
    definition(case, '''
target "base" {
  inherits = ["_base"]
  context = "base"
  output = ["type=oci,dest=base.tar"]
}
target "app" {
  context = "app"
  contexts = { base = "target:base" }
  output = ["type=oci,dest=app.tar"]
}''')
    bake(case, "app")
    expect(not os.path.exists(os.path.join(case.context, "base.tar")), "the context was exported")
    expect_equal(image(case, "app.tar").file("seen"), "yes")
    bake(case, "app", "base")
    expect_equal(image(case, "app.tar").file("mark"), image(case, "base.tar").file("mark"))


@quick
def test_outputs_of_each_target(case):
    case.dockerfile("FROM busybox AS files", "RUN echo one > /one", "FROM scratch", "COPY --from=files /one /one")
    definition(case, '''
group "default" { targets = ["directory", "archive", "image"] }
target "directory" {
  inherits = ["_base"]
  output = [{ type = "local", dest = "out" }]
}
target "archive" {
  inherits = ["_base"]
  output = ["type=tar,dest=out.tar"]
}
target "image" {
  inherits = ["_base"]
  platforms = ["%s", "%s"]
  tags = ["example.com/bake:1"]
  output = ["type=oci,dest=image.tar", "type=oci,dest=second.tar"]
}''' % (HOST, FOREIGN))
    bake(case)
    with open(os.path.join(case.context, "out", "one")) as f:
        expect_equal(f.read(), "one\n")
    with tarfile.open(os.path.join(case.context, "out.tar")) as tar:
        expect("one" in tar.getnames(), "the archive lacks the file")
    expect_equal(sorted(image(case, "image.tar").layout.images()), sorted((HOST, FOREIGN)))
    expect_equal(image(case, "image.tar").digests(), image(case, "second.tar").digests())


@quick
def test_failure_ends_all_or_spares_others(case):
    case.write("good/Dockerfile", "FROM busybox\nRUN sleep 0.5; echo good > /good\n")
    case.write("bad/Dockerfile", "FROM busybox\nRUN exit 7\n")
    definition(case, '''
group "default" { targets = ["bad", "good", "user"] }
target "good" {
  inherits = ["_base"]
  context = "good"
  output = ["type=oci,dest=good.tar"]
}
target "bad" {
  inherits = ["_base"]
  context = "bad"
}
target "user" {
  inherits = ["good"]
  contexts = { busybox = "target:bad" }
  output = ["type=oci,dest=user.tar"]
}''')
    result = attempt(case)
    expect_equal(result.status, 1, "exit status")
    expect(not os.path.exists(os.path.join(case.context, "good.tar")), "a target was exported after another failed")
    result = attempt(case, "--keep-going", "--metadata-file", "meta.json")
    expect_equal(result.status, 1, "exit status with --keep-going")
    expect("exit code: 7" in result.text, "the error is not shown")
    expect_equal(image(case, "good.tar").file("good"), "good")
    expect(not os.path.exists(os.path.join(case.context, "user.tar")), "built on what failed")
    with open(os.path.join(case.context, "meta.json")) as f:
        expect_equal(sorted(json.load(f)), ["good"], "targets in the metadata file")


@quick
def test_metadata_by_target(case):
    case.dockerfile("FROM busybox", "ARG WHICH", "RUN echo $WHICH > /which")
    definition(case, '''
target "image" {
  name = "image-${n}"
  matrix = { n = ["1", "2"] }
  inherits = ["_base"]
  args = { WHICH = n }
  tags = ["example.com/image:${n}"]
  output = ["type=oci,dest=image-${n}.tar"]
}''')
    bake(case, "image", "--metadata-file", "meta.json")
    with open(os.path.join(case.context, "meta.json")) as f:
        metadata = json.load(f)
    expect_equal(sorted(metadata), ["image-1", "image-2"])
    for n in ("1", "2"):
        own = metadata["image-" + n]
        expect_equal(own["image.name"], "example.com/image:" + n)
        expect_equal(own["containerimage.digest"], own["containerimage.descriptor"]["digest"])
        expect_equal(image(case, "image-%s.tar" % n).file("which"), n)


@quick
def test_compose_file(case):
    case.write("web/Dockerfile", "FROM busybox\nARG GREETING\nRUN echo $GREETING > /greeting\n")
    case.write(".env", "WHO=world\n")
    case.write("compose.yaml", '''
services:
  web:
    build:
      context: ./web
      args:
        GREETING: "hello ${WHO}"
      additional_contexts:
        busybox: oci-layout://%s:busybox
      x-bake:
        output: type=oci,dest=web.tar
  db:
    image: postgres
''' % case.bases)
    bake(case)
    expect_equal(image(case, "web.tar").file("greeting"), "hello world")


@quick
def test_inline_dockerfile_and_override(case):
    definition(case, '''
target "default" {
  inherits = ["_base"]
  dockerfile-inline = "FROM busybox\\nARG A=unset\\nRUN echo $A > /a\\n"
}''')
    bake(case, "--set", "default.args.A=given", "--set", "*.output=type=oci,dest=a.tar")
    expect_equal(image(case, "a.tar").file("a"), "given")


@quick
def test_privileges_are_asked_for(case):
    """A definition reads what is outside of the working directory only when the user says so."""
    outside = case.new_directory("outside")
    with open(os.path.join(outside, "Dockerfile"), "w") as f:
        f.write("FROM scratch\nCOPY Dockerfile /\n")
    case.write("docker-bake.hcl", 'target "default" {\n  context = "%s"\n  output = ["type=oci,dest=o.tar"]\n}\n' % outside)
    command = [case.mbuild, "bake", "--root", case.root]
    refused = case.run(command, cwd=case.context)
    expect_equal(refused.status, 1, "exit status")
    flag = re.search(r'Pass "(\S+)" to grant', refused.text)
    expect(flag, "the flag that grants it is not said")
    expect("additional privileges requested" in refused.text, "the reason is not said")
    expect(not os.path.exists(os.path.join(case.context, "o.tar")), "built without the grant")
    expect_equal(case.run(command + [flag.group(1)], cwd=case.context).status, 0, "exit status with the grant")


@quick
def test_warnings_name_what_was_meant(case):
    case.write("docker-bake.hcl", '''
variable "UNUSED" { default = 1 }
target "default" {
  tag = ["a"]
}
targets "x" {}
''')
    text = case.run([case.mbuild, "bake", "--print"], cwd=case.context).text
    for phrase in ('docker-bake.hcl:4,3-6: target "default" has no attribute "tag"', "did you mean tags?",
                   'docker-bake.hcl:6,1-8: there are no blocks "targets"', "did you mean target?",
                   'variable "UNUSED" is not used'):
        expect(phrase in text, "not said:", phrase)


@quick
def test_errors_show_the_place(case):
    case.write("docker-bake.hcl", 'target "default" {\n  tags = [missing]\n}\n')
    result = case.run([case.mbuild, "bake", "--print"], cwd=case.context)
    expect_equal(result.status, 1, "exit status")
    for phrase in ('Unknown variable; There is no variable named "missing"', "docker-bake.hcl:2,11-18",
                   ">>>   tags = [missing]"):
        expect(phrase in result.text, "not said:", phrase)


@quick
def test_check_of_all_targets(case):
    case.write("a/Dockerfile", "from scratch\nCOPY x /\n")
    case.write("b/Dockerfile", "FROM scratch\nCOPY x /\n")
    case.write("docker-bake.hcl", '''
target "t" {
  name = "t-${d}"
  matrix = { d = ["a", "b"] }
  context = d
}''')
    result = attempt(case, "t", "--check")
    for phrase in ("t-a", "t-b", "Check complete, no warnings found"):
        expect(phrase in result.text, "not said:", phrase)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@quick
def test_definition_from_an_address(case):
    """A definition of an http address; its contexts are there, but for those that are said to be here."""
    served = case.new_directory("served")
    with open(os.path.join(served, "app.hcl"), "w") as f:
        f.write('''
target "default" {
  context = "cwd://here"
  contexts = { busybox = "oci-layout://%s:busybox" }
  output = ["type=oci,dest=here.tar"]
}''' % case.bases)
    case.write("here/Dockerfile", "FROM busybox\nRUN echo here > /where\n")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=served))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    case.at_end(server.shutdown)
    address = "http://127.0.0.1:%d/app.hcl" % server.server_address[1]
    bake(case, address)
    expect_equal(image(case, "here.tar").file("where"), "here")
    case.write("more.hcl", 'target "default" {\n  args = { A = "more" }\n}\n')
    shown = printed(case, address, "-f", "cwd://more.hcl")
    expect_equal(shown["target"]["default"]["args"], {"A": "more"})


@quick
def test_images_outside_of_the_directory_need_no_grant(case):
    """What a definition reads beside it is asked for; an image is none of that, wherever it is."""
    case.dockerfile("FROM busybox", "COPY Dockerfile /")
    definition(case, 'target "default" {\n  inherits = ["_base"]\n  output = ["type=cacheonly"]\n}')
    case.check(case.mbuild, "bake", "--root", case.root, "-f", case.context + "/docker-bake.hcl", cwd=case.context)


@quick
def test_call_is_printed_without_how_it_is_shown(case):
    """The name alone is what the target has; the format is that of the answer."""
    case.dockerfile("FROM scratch")
    case.write("docker-bake.hcl", 'target "default" {}\n')
    shown = printed(case, "--call", "outline,format=json")
    expect_equal(shown["target"]["default"]["call"], "outline", "call")
    answer = case.run([case.mbuild, "bake", "--root", case.root, "--call", "outline,format=json"], cwd=case.context)
    expect_equal(answer.status, 0, "exit status")
    expect("{" in answer.text and "\n\n" not in answer.text.split("{")[0], "an answer in JSON: " + answer.text)
