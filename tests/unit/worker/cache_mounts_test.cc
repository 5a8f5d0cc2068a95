#include "worker/cache_mounts.h"

#include "tests/catch.h"
#include "tests/temporary.h"

using namespace mbuild;
using namespace mbuild::executor;
using mbuild::testing::TemporaryDirectory;

namespace {

struct Mounts {
  TemporaryDirectory place;
  cache::Store store{place / "store", "map"};
  LazyInner inner{IdMap()};
  WorkDirectories work{place / "work"};
  LayerDirectories layers{store, inner, work, [](const std::string&) {}};
  CacheMounts caches{store, inner, work, layers};
  std::vector<jobs::CacheDirectory> to_make;

  std::string use(const TaskMount& mount, CacheMounts::Held& held) { return caches.use(mount, to_make, held, {}); }
};

TaskMount cache_of(graph::CacheSharing sharing) {
  TaskMount mount;
  mount.kind = graph::MountKind::cache;
  mount.cache = "go";
  mount.sharing = sharing;
  return mount;
}

}  // namespace

TEST_CASE("A cache mount is a directory of the store, made with the owner and mode that the mount has") {
  Mounts mounts;
  CacheMounts::Held held;
  auto mount = cache_of(graph::CacheSharing::shared);
  mount.uid = 1;
  mount.gid = 2;
  mount.mode = 0700;
  const std::string path = mounts.store.cache_mount_path("go");
  CHECK(mounts.use(mount, held) == path);
  REQUIRE(mounts.to_make.size() == 1);
  CHECK(mounts.to_make[0].path == path);
  CHECK(mounts.to_make[0].uid == 1);
  CHECK(mounts.to_make[0].gid == 2);
  CHECK(mounts.to_make[0].mode == 0700);
  CHECK(held.locks.empty());
}

TEST_CASE("A private cache mount that another RUN has is another directory, until it is free again") {
  Mounts mounts;
  const auto mount = cache_of(graph::CacheSharing::priv);
  CacheMounts::Held one;
  CHECK(mounts.use(mount, one) == mounts.store.cache_mount_path("go"));
  {
    CacheMounts::Held two;
    CHECK(mounts.use(mount, two) == mounts.store.cache_mount_path("go#1"));
    CHECK(two.locks.size() == 1);
  }
  one.locks.clear();
  CacheMounts::Held three;
  CHECK(mounts.use(mount, three) == mounts.store.cache_mount_path("go"));
}

TEST_CASE("A locked cache mount is locked once, however often a RUN mounts it, and a shared one never") {
  Mounts mounts;
  CacheMounts::Held held;
  const auto locked = cache_of(graph::CacheSharing::locked);
  auto shared = cache_of(graph::CacheSharing::shared);
  shared.cache = "npm";
  mounts.caches.lock({locked, locked, shared}, held, {});
  CHECK(held.locks.size() == 1);
  CHECK_FALSE(mounts.store.try_lock_cache_mount("go"));
  CHECK(mounts.store.try_lock_cache_mount("npm"));
}

TEST_CASE("A cache mount needs its first content while it is not there, or not known yet") {
  Mounts mounts;
  auto shared = cache_of(graph::CacheSharing::shared);
  CHECK(mounts.caches.needs_first_content(shared));
  make_directories(mounts.store.cache_mount_path("go"));
  CHECK_FALSE(mounts.caches.needs_first_content(shared));
  CHECK(mounts.caches.needs_first_content(cache_of(graph::CacheSharing::priv)));
  shared.fresh = true;
  CHECK(mounts.caches.needs_first_content(shared));
}

TEST_CASE("Fresh mounts of a cache are one new directory, and not that of earlier builds") {
  Mounts mounts;
  CacheMounts::Held one, two;
  auto fresh = cache_of(graph::CacheSharing::shared);
  fresh.fresh = true;
  const std::string path = mounts.use(fresh, one);
  CHECK(path.starts_with(mounts.place / "work"));
  CHECK(mounts.use(fresh, two) == path);
}
