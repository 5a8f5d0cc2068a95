"""The [registry] part of the configuration file, and registry.insecure."""
import os

from registry import Authority, Front, Registry, Tunnel, cut_upload
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


def test_a_mirror_with_a_path_is_a_part_of_a_registry(case):
    server = Registry(case)
    server.put_base("hub/library/base")
    front = Front(server)
    case.dockerfile("FROM registry.invalid/library/base:latest", "RUN cat /bin/busybox > /copy")
    for path in ("/hub", "/v2/hub/"):
        env = configured(case, '[registry."registry.invalid"]\nmirrors = ["http://%s%s"]\n' % (front.host, path))
        expect("copy" in case.build(env=env, root=case.new_directory("store")).tree(HOST))
        expect_equal([r for r in front.take() if not r.path.startswith("/v2/hub/library/base/")], [], "requests")


def test_a_mirror_that_has_nothing_is_told_once(case):
    server, mirror = Registry(case), Registry(case)
    case.dockerfile("FROM %s AS a" % server.put_base("base/a"), "FROM %s" % server.put_base("base/b"),
                    "COPY --from=a /bin/busybox /copy")
    env = configured(case, '[registry."%s"]\nmirrors = ["http://%s/hub"]\n' % (server.host, mirror.host))
    text = case.build(env=env).text
    expect_equal(text.count("a mirror of %s is passed over: http://%s/hub" % (server.host, mirror.host)), 1)


def test_https_against_a_registry_of_plain_http_names_the_setting(case):
    server = Registry(case)
    authority = Authority(case.dir + "/authority")
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.fails("-t", server.host + "/team/app:v1", "--push", export=False, status=3, says=["`plain-http = true`"],
               env=configured(case, '[registry."%s"]\nca = "%s"\n' % (server.host, authority.ca)))


def test_plain_http(case):
    server = Registry(case)
    front = Front(server)
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    case.build("-t", front.host + "/team/app:v1", "--push", export=False,
               env=configured(case, '[registry."%s"]\nplain-http = true\n' % front.host))
    expect_equal([r for r in front.take() if r.path == "/v2/"], [], "requests to find out the scheme")


def test_no_request_is_longer_than_a_chunk(case):
    server = Registry(case)
    case.write("big", os.urandom(1 << 20))
    case.dockerfile("FROM scratch", "COPY big /big")
    for rule in (None, lambda r: cut_upload(10000) if r.method == "PATCH" and r.nth == 2 else None):
        front = Front(server, rule)
        env = configured(case, '[registry."%s"]\nchunk-size = "300k"\n' % front.host)
        case.build("-t", front.host + "/team/app:v1", "--push", export=False, env=env, root=case.new_directory("store"))
        sent = [int(r.headers.get("Content-Length", 0)) for r in front.take() if r.kind == "upload"]
        expect(max(sent) == 300 << 10 and sent.count(300 << 10) >= 3, "lengths of the requests:", sent)
        expect_equal(len(server.image("team/app:v1").tree(HOST)["big"].data), 1 << 20)
        server = Registry(case)
    case.fails(export=False, status=2, says=["chunk-size"], env=configured(case, '[registry]\nchunk-size = "x"\n'))


def test_proxies(case):
    """A registry that only a proxy can reach: by http through its requests, by https through a tunnel."""
    name = "registry.example.test:5000"
    case.dockerfile("FROM scratch", "COPY Dockerfile /")
    server = Registry(case)
    front = Front(server)
    flags = ("-t", name + "/team/app:v1", "--push")
    plain = configured(case, '[registry."%s"]\nplain-http = true\n' % name)
    case.build(*flags, export=False, env={**plain, "HTTP_PROXY": "http://" + front.host})
    expect(all(r.path.startswith("http://%s/v2/" % name) for r in front.take()), "requests past the proxy")
    expect_equal(server.tags("team/app"), ["v1"])
    authority = Authority(case.dir + "/authority")
    authority.certificate, authority.key = authority.issue("proxied", "subjectAltName=DNS:registry.example.test")
    server = Registry(case, tls=authority)
    tunnel = Tunnel(server)
    trusted = configured(case, '[registry."%s"]\nca = "%s"\n' % (name, authority.ca))
    case.build(*flags, export=False, env={**trusted, "HTTPS_PROXY": "http://" + tunnel.host})
    case.dockerfile("FROM %s/team/app:v1" % name, "COPY Dockerfile /second")
    image = case.build(env={**trusted, "HTTPS_PROXY": "http://" + tunnel.host}, root=case.dir + "/other")
    expect("second" in image.tree(HOST))
    expect_equal(set(tunnel.asked), {name}, "hosts that the proxy was asked for")
