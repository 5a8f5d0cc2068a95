"""EXPERIMENTAL_BUILDKIT_SOURCE_POLICY: what a build may be made of."""
import json
import os

import oci
from registry import Registry
from support import HOST, expect, quick


def policy(case, *rules):
    path = os.path.join(case.dir, "policy.json")
    with open(path, "w") as f:
        json.dump({"version": 1, "rules": list(rules)}, f)
    return {"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": path}


def rule(action, pattern, match="WILDCARD", **updates):
    out = {"action": action, "selector": {"identifier": pattern, "match_type": match}}
    if updates:
        out["updates"] = updates
    return out


@quick
def test_denied_and_allowed_sources(case):
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.fails(env=policy(case, rule("DENY", "local://*")), status=2, says=["local://", "denied by policy", "rule 1"])
    case.fails(env=policy(case, rule("DENY", "*"), rule("ALLOW", "local://dockerfile")), status=2,
               says=["local://context"])
    case.build(env=policy(case, rule("DENY", "*"), rule("ALLOW", "local://*")))
    case.dockerfile("FROM scratch", "ADD https://127.0.0.1:1/file /")
    case.fails(env=policy(case, rule("DENY", "^https?://", "REGEX")), status=2,
               says=["https://127.0.0.1:1/file", "denied by policy"])


def test_images_are_denied_and_converted(case):
    server = Registry(case)
    case.dockerfile("FROM scratch", "COPY Dockerfile /one")
    case.build("-t", server.host + "/team/app:one", "--push", export=False)
    case.dockerfile("FROM scratch", "COPY Dockerfile /two")
    case.build("-t", server.host + "/team/app:two", "--push", export=False)
    case.dockerfile("FROM %s/team/app:one" % server.host, "COPY Dockerfile /top")
    name = "docker-image://%s/team/app:" % server.host
    case.fails(env=policy(case, rule("DENY", name + "*")), status=2, says=[name + "one", "denied by policy"])
    digest = json.loads(case.check(case.mbuild, "imagetools", "inspect", "--format", "{{json .Manifest}}",
                                   server.host + "/team/app:one"))["digest"]
    case.fails(env=policy(case, rule("DENY", "*@" + digest)), status=2, says=[digest, "denied by policy"])
    tree = case.build(env=policy(case, rule("CONVERT", name + "o*", identifier=name + "two"))).tree(HOST)
    expect("two" in tree and "one" not in tree, "not converted:", sorted(tree))
    tree = case.build().tree(HOST)
    expect("one" in tree, "converted without a policy:", sorted(tree))


def test_a_named_context_is_no_way_round(case):
    case.dockerfile("FROM base", "COPY Dockerfile /")
    case.fails("--build-context", "base=docker-image://127.0.0.1:1/app:v1",
               env=policy(case, rule("DENY", "docker-image://127.0.0.1*")), status=2, says=["denied by policy"])
    case.fails("--build-context", "base=oci-layout://%s:busybox" % case.bases,
               env=policy(case, rule("DENY", "oci-layout://*")), status=2, says=["denied by policy"])


def test_a_policy_that_is_not_understood_or_not_there(case):
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.fails(env=policy(case, rule("PERMIT", "*")), status=2, says=["PERMIT", "policy.json"])
    case.fails(env=policy(case, {"action": "DENY", "selector": {"identifier": "*"}, "when": "full moon"}), status=2,
               says=["\"when\""])
    case.fails(env={"EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": case.dir + "/none.json"}, status=2, says=["none.json"])
