#include "frontend/dockerfile/mount.h"

#include "tests/unit/frontend/syntax_samples.h"

using namespace mbuild::frontend::dockerfile;
using Catch::Matchers::Contains;

namespace {

std::string mount_error(std::string_view text) {
  return samples::message_of([&] { parse_mount(text); });
}

}  // namespace

TEST_CASE("a mount is a read-only bind unless it says else") {
  const auto mount = parse_mount("target=/a,source=b,from=c");
  CHECK(mount.type == MountType::bind);
  CHECK(mount.target == "/a");
  CHECK(mount.source == "b");
  CHECK(mount.from == "c");
  CHECK(mount.read_only);
  CHECK_FALSE(parse_mount("dst=/a,rw").read_only);
  CHECK_FALSE(parse_mount("dst=/a,readonly=false").read_only);
  CHECK(parse_mount("dst=/a,rw=0").read_only);
}

TEST_CASE("cache and tmpfs are writable by default") {
  const auto cache = parse_mount("TYPE=Cache,id=x,destination=/a,sharing=LOCKED,mode=0700,uid=1,gid=2");
  CHECK(cache.type == MountType::cache);
  CHECK_FALSE(cache.read_only);
  CHECK(cache.sharing == MountSharing::locked);
  CHECK(cache.mode == 0700U);
  CHECK(cache.uid == 1U);
  CHECK(cache.gid == 2U);
  CHECK(parse_mount("type=cache,target=/a,ro").read_only);
  CHECK(parse_mount("type=tmpfs,target=/a,size=128m").size == 128 << 20);
}

TEST_CASE("secrets and ssh take required and env") {
  const auto secret = parse_mount("type=secret,id=x,env=X,required");
  CHECK(secret.required);
  CHECK(secret.env == "X");
  CHECK_FALSE(parse_mount("type=ssh,required=false").required);
}

TEST_CASE("keys, types and sharing modes are suggested") {
  CHECK(mount_error("typ=bind") == "unexpected key 'typ' in 'typ=bind' (did you mean type?)");
  CHECK(mount_error("type=tmp") == "unsupported mount type \"tmp\" (did you mean tmpfs?)");
  CHECK(mount_error("type=cache,sharing=share") == "unsupported sharing value \"share\" (did you mean shared?)");
  CHECK(mount_error("type=cache,sharing=foo") == "unsupported sharing value \"foo\"");
  CHECK(mount_error("foo") == "invalid field 'foo' must be a key=value pair");
  CHECK(mount_error("rw=x") == "invalid value for rw: x");
}

TEST_CASE("required and size are judged by the type before them") {
  CHECK(mount_error("required,type=secret,id=x") == "unexpected key 'required' for mount type 'bind'");
  CHECK(mount_error("size=1m,type=tmpfs,target=/a") == "unexpected key 'size' for mount type 'bind'");
  CHECK(mount_error("type=cache,required=true") == "unexpected key 'required' for mount type 'cache'");
  CHECK(mount_error("type=tmpfs,size=x") == "invalid value for size: x");
}

TEST_CASE("keys that do not fit the type are refused") {
  CHECK(mount_error("target=/a,mode=0700") == "mode not allowed for \"bind\" type mounts");
  CHECK(mount_error("type=tmpfs,uid=1") == "uid not allowed for \"tmpfs\" type mounts");
  CHECK(mount_error("type=ssh,mode=9") == "invalid value 9 for mode");
  CHECK(mount_error("target=/a,sharing=shared") == "invalid cache sharing set for bind mount");
  CHECK(mount_error("type=secret,id=x,from=y") == "secret mount should not have a from");
  CHECK(mount_error("type=secret,id=x,sharing=shared") == "secret mount should not define sharing");
  CHECK(mount_error("type=secret,env=X") == "invalid secret mount. one of source, target required");
  CHECK(mount_error("type=secret,id=x,source=y") == "both source and id can't be set");
  CHECK_THAT(mount_error("a\"b=c"), Contains("failed to parse csv mounts"));
}

TEST_CASE("values are expanded one by one") {
  const auto expand = [](std::string_view value) { return value == "$X" ? std::string("/a,b=c") : std::string(value); };
  CHECK(parse_mount("target=$X,source=s", expand).target == "/a,b=c");
}

TEST_CASE("from must be literal") {
  CHECK(mount_from("type=$T,from=stage") == "stage");
  CHECK(mount_from("target=$X").empty());
  CHECK(mount_from("from=x$") == "x$");
  CHECK_THAT(samples::message_of([] { mount_from("from=$X"); }),
             Contains("'from' doesn't support variable expansion, define alias stage instead"));
}

TEST_CASE("devices have a name and may be required") {
  CHECK(parse_device("vendor.com/class=a,required").required);
  CHECK(parse_device("vendor.com/class=a").name == "vendor.com/class=a");
  CHECK(parse_device("name=x,required=false").name == "x");
  CHECK_THAT(samples::message_of([] { parse_device("a,b"); }), Contains("must be a key=value pair"));
  CHECK_THAT(samples::message_of([] { parse_device("a,requird=1"); }), Contains("(did you mean required?)"));
  CHECK_THAT(samples::message_of([] { parse_device("a,name=b"); }), Contains("device name already set to a"));
}
