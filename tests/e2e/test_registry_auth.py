"""Credentials as docker's config.json keeps them, bearer tokens, and TLS."""
import base64
import json
import os

from registry import PASSWORD, USER, Authority, Front, Registry, TokenServer, basic, docker_config
from support import HOST, expect, expect_equal

ANONYMOUS = {"auths": {}}


def helper(case, name, answers):
    """A directory for PATH with docker-credential-NAME, which knows the hosts of `answers`."""
    directory = case.new_directory("bin")
    path = os.path.join(directory, "docker-credential-" + name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\nread -r host\ncase $host in\n")
        for host, answer in answers.items():
            f.write("  %s) echo '%s'; exit 0 ;;\n" % (host, json.dumps(answer)))
        f.write("esac\necho 'credentials not found in native keychain'\nexit 1\n")
    os.chmod(path, 0o755)
    return {"PATH": directory + ":" + os.environ["PATH"]}


def push_and_pull(case, server, env):
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.build("-t", server.host + "/team/app:v1", "--push", export=False, env=env)
    case.dockerfile("FROM %s/team/app:v1" % server.host, "COPY Dockerfile /second")
    expect("second" in case.build(env=env, root=case.dir + "/other").tree(HOST))


def test_user_and_password_from_auths(case):
    server = Registry(case, password=True)
    push_and_pull(case, server, docker_config(case, {"auths": {server.host: basic()}}))


def test_credentials_of_podman(case):
    server = Registry(case, password=True)
    directory = case.new_directory("containers")
    with open(directory + "/auth.json", "w") as f:
        json.dump({"auths": {server.host: basic("no"), server.host + "/team": basic()}}, f)
    push_and_pull(case, server, {**docker_config(case, ANONYMOUS), "REGISTRY_AUTH_FILE": directory + "/auth.json"})


def test_credentials_that_cannot_be_read_are_named(case):
    server = Registry(case, password=True)
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    env = docker_config(case, {"auths": {server.host: {"auth": "not base64!"}}})
    case.fails("-t", server.host + "/team/app:v1", "--push", export=False, env=env, status=2,
               says=[env["DOCKER_CONFIG"] + "/config.json", server.host, "base64", "docker login"])


def test_wrong_and_missing_passwords(case):
    server = Registry(case, password=True)
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    for config in ({"auths": {server.host: basic("no")}}, ANONYMOUS):
        case.fails("-t", server.host + "/team/app:v1", "--push", export=False, env=docker_config(case, config),
                   status=3, says=["401", "docker login " + server.host])


def test_credential_helpers(case):
    server = Registry(case, password=True)
    answer = {"ServerURL": server.host, "Username": USER, "Secret": PASSWORD}
    for config in ({"credHelpers": {server.host: "test"}}, {"credsStore": "test"}):
        push_and_pull(case, server, {**docker_config(case, config), **helper(case, "test", {server.host: answer})})
    case.fails("-t", server.host + "/team/app:v1", "--push", export=False, status=5, says=["docker-credential-none"],
               env=docker_config(case, {"credsStore": "none"}))


def test_bearer_tokens(case):
    tokens = TokenServer(case)
    server = Registry(case, tokens=tokens)
    push_and_pull(case, server, docker_config(case, {"auths": {server.host: basic()}}))
    scopes = {scope for _, parameters in tokens.asked for scope in parameters["scope"]}
    expect_equal(scopes, {"repository:team/app:pull,push", "repository:team/app:pull"})
    anonymous = docker_config(case, ANONYMOUS)
    case.fails("-t", server.host + "/team/app:v2", "--push", export=False, env=anonymous, status=3,
               says=["docker login"])


def test_tokens_for_public_images_need_no_login(case):
    tokens = TokenServer(case)
    server = Registry(case, tokens=tokens)
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.build("-t", server.host + "/public/app:v1", "--push", export=False,
               env=docker_config(case, {"auths": {server.host: basic()}}))
    case.dockerfile("FROM %s/public/app:v1" % server.host, "COPY Dockerfile /second")
    case.build(env=docker_config(case, ANONYMOUS), root=case.dir + "/other")


def test_refresh_token(case):
    tokens = TokenServer(case)
    server = Registry(case, tokens=tokens)
    push_and_pull(case, server, docker_config(case, {"auths": {server.host: {"identitytoken": TokenServer.REFRESH}}}))
    expect_equal({method for method, _ in tokens.asked}, {"POST"})
    # A helper gives a refresh token as the password of the user "<token>".
    answer = {"ServerURL": server.host, "Username": "<token>", "Secret": TokenServer.REFRESH}
    push_and_pull(case, server, {**docker_config(case, {"credsStore": "test"}),
                                 **helper(case, "test", {server.host: answer})})
    case.fails("-t", server.host + "/team/app:v1", "--push", export=False, status=3, says=["docker login"],
               env=docker_config(case, {"auths": {server.host: {"identitytoken": "expired"}}}))


def test_mounting_needs_no_rights_on_the_source(case):
    """A base that anybody may pull, of a registry where one may push to another repository."""
    tokens = TokenServer(case)
    server = Registry(case, tokens=tokens)
    env = docker_config(case, {"auths": {server.host: basic()}})
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.build("-t", server.host + "/public/base:v1", "--push", export=False, env=env)
    case.dockerfile("FROM %s/public/base:v1" % server.host, "COPY Dockerfile /second")
    case.build("-t", server.host + "/team/app:v1", "--push", export=False, env=env, root=case.dir + "/other")


def test_tls_on_loopback(case):
    authority = Authority(case.dir + "/authority")
    server = Registry(case, tls=authority)
    push_and_pull(case, server, {})


def test_an_error_that_repeats_the_credentials_is_cleaned_of_them(case):
    server = Registry(case, password=True)
    front = Front(server)

    def echo(request):
        value = request.headers.get("Authorization")
        if not value:
            return None
        pair = base64.b64decode(value.split()[1]).decode()
        words = "go away: %s, that is %s, with the password %s" % (value, pair, pair.split(":")[1])
        body = json.dumps({"errors": [{"code": "DENIED", "message": words}]}) if request.nth % 2 else words
        return 403, {"Content-Type": "application/json"}, body.encode()

    front.replace = echo
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    for _ in range(2):
        text = case.fails("-t", front.host + "/team/app:v1", "--push", export=False, status=3, says=["go away"],
                          env=docker_config(case, {"auths": {front.host: basic()}})).text
        encoded = base64.b64encode(("%s:%s" % (USER, PASSWORD)).encode()).decode()
        expect(PASSWORD not in text and encoded not in text, "the credentials are shown")
