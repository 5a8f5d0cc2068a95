"""The [registry] part of the configuration file, and registry.insecure."""
import os

from registry import Authority, Front, Registry
from support import HOST, expect, expect_equal


def configured(case, text):
    path = os.path.join(case.new_directory("config"), "config.toml")
    with open(path, "w") as f:
        f.write(text)
    return {"MBUILD_CONFIG": path}


def test_own_certificate_authority(case):
    authority, other = Authority(case.dir + "/authority"), Authority(case.dir + "/other")
    server = Registry(case, tls=authority)
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    flags = ("-t", server.host + "/team/app:v1", "--push")
    trusted = configured(case, '[registry."%s"]\nca = "%s"\n' % (server.host, authority.ca))
    case.build(*flags, export=False, env=trusted)
    case.dockerfile("FROM %s/team/app:v1" % server.host, "COPY Dockerfile /second")
    expect("second" in case.build(env=trusted, root=case.dir + "/store-2").tree(HOST))
    distrusted = configured(case, '[registry]\nca = "%s"\n' % other.ca)
    case.fails(*flags, export=False, env=distrusted, status=3, says=["certificate", "`ca`"])
    # Who says insecure means it.
    case.build("-o", "type=registry,registry.insecure=true,name=%s/team/app:v2" % server.host, export=False,
               env=distrusted)
    case.build(*flags, export=False,
               env=configured(case, '[registry."%s"]\ninsecure = true\nca = "%s"\n' % (server.host, other.ca)))
    expect_equal(case.fails(*flags, export=False, env=configured(case, "[registry]\nca = 1\n")).status, 2)


def test_client_certificate(case):
    authority = Authority(case.dir + "/authority")
    server = Registry(case, tls=authority, client_ca=authority.ca)
    certificate, key = authority.issue("client", "extendedKeyUsage=clientAuth")
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    flags = ("-t", server.host + "/team/app:v1", "--push")
    head = '[registry."%s"]\nca = "%s"\n' % (server.host, authority.ca)
    case.build(*flags, export=False,
               env=configured(case, head + 'client-cert = "%s"\nclient-key = "%s"\n' % (certificate, key)))
    case.fails(*flags, export=False, env=configured(case, head), status=3, says=["certificate"])


def test_mirrors_are_asked_first_for_pulls_and_never_pushed_to(case):
    server, mirror = Registry(case), Registry(case)
    base = server.put_base()
    mirror.put_base()
    origin, front = Front(server), Front(mirror)
    case.dockerfile("FROM " + base.replace(server.host, origin.host), "RUN echo x > /x")
    env = configured(case, '[registry."%s"]\nmirrors = ["http://%s"]\n' % (origin.host, front.host))
    case.build("-t", origin.host + "/team/app:v1", "--push", export=False, env=env)
    expect_equal([r for r in origin.take() if r.method == "GET" and r.kind != "other"], [], "pulls from the origin")
    expect_equal([r for r in front.take() if r.method not in ("GET", "HEAD")], [], "writes to the mirror")
    expect_equal(server.tags("team/app"), ["v1"])


def test_the_registry_itself_is_asked_when_mirrors_fail(case):
    server, mirror = Registry(case), Registry(case)
    base = server.put_base()
    front = Front(mirror, rule=lambda request: ("answer", 500, {}))
    nobody = "http://127.0.0.1:1"
    case.dockerfile("FROM " + base, "RUN cat /bin/busybox > /copy")
    env = configured(case, '[registry."%s"]\nmirrors = ["%s", "http://%s", "http://%s"]\n'
                     % (server.host, nobody, front.host, mirror.host))
    expect("copy" in case.build(env=env).tree(HOST))
    expect(len(front.take()) <= 2, "a mirror that fails is not asked for everything again")


def test_plain_http(case):
    server = Registry(case)
    front = Front(server)
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.build("-t", front.host + "/team/app:v1", "--push", export=False,
               env=configured(case, '[registry."%s"]\nplain-http = true\n' % front.host))
    expect_equal([r for r in front.take() if r.path == "/v2/"], [], "requests to find out the scheme")
