#include "files/content_digest.h"

#include <time.h>
#include <unistd.h>

#include <map>

#include "tests/catch.h"
#include "tests/unit/files/file_tree.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;

namespace {

Digest digest_of(const FileTree& tree, const std::string& source) {
  Selection selection = select(context(tree), copy_action(source, "/d/"));
  return selection_digest(selection, {}, 2);
}

Digest shown_digest(const Tree& tree, const std::string& selector) {
  Selection shown = select_tree(tree, selector);
  return tree_digest(shown, {}, 1);
}

struct MemoryCache {
  std::map<StatKey, Digest> known;
  int hits = 0;

  StatCache functions() {
    return {.get =
                [this](std::span<const StatKey> keys) {
                  std::vector<std::optional<Digest>> out(keys.size());
                  for (std::size_t i = 0; i < keys.size(); ++i) {
                    const auto it = known.find(keys[i]);
                    if (it == known.end()) continue;
                    ++hits;
                    out[i] = it->second;
                  }
                  return out;
                },
            .put = [this](const auto& learnt) { known.insert(learnt.begin(), learnt.end()); }};
  }
};

void wait_for_rest() {
  const struct timespec pause = {0, 150'000'000};
  ::nanosleep(&pause, nullptr);
}

}  // namespace

TEST_CASE("Content, names, modes and links are in the digest, times are not") {
  FileTree a, b;
  for (FileTree* tree : {&a, &b}) tree->file("d/f", "one").link("d/l", "f").directory("d/e").file("out");
  b.time("d/f", 1).time("d/e", 2).time("d", 3).file("out", "other");
  CHECK(digest_of(a, "d") == digest_of(b, "d"));
  CHECK(digest_of(a, ".") != digest_of(b, "."));
  const auto changed = [&](auto change) {
    FileTree c;
    c.file("d/f", "one").link("d/l", "f").directory("d/e");
    change(c);
    return digest_of(c, "d") != digest_of(a, "d");
  };
  CHECK_FALSE(changed([](FileTree&) {}));
  CHECK(changed([](FileTree& c) { c.file("d/f", "two"); }));
  CHECK(changed([](FileTree& c) { c.file("d/f", "one", 0600); }));
  CHECK(changed([](FileTree& c) { c.file("d/g", ""); }));
  CHECK(changed([](FileTree& c) { c.directory("d/e", 0700); }));
  CHECK(changed([](FileTree& c) { c.link("d/k", "f"); }));
}

TEST_CASE("Hard links differ from copies") {
  FileTree linked, copied;
  linked.file("a", "x").hard_link("b", "a");
  copied.file("a", "x").file("b", "x");
  CHECK(digest_of(linked, ".") != digest_of(copied, "."));
}

TEST_CASE("A file counts with its name, a directory given as source without name and mode") {
  FileTree tree;
  tree.file("a", "x").file("b", "x").file("d/f", "x").file("e/f", "x").directory("e", 0700);
  CHECK(digest_of(tree, "a") != digest_of(tree, "b"));
  CHECK(digest_of(tree, "d") == digest_of(tree, "e"));
}

TEST_CASE("Contents that the stat cache knows are not read again") {
  FileTree tree;
  tree.file("f", "one").file("g", "two").file("empty", "");
  wait_for_rest();
  MemoryCache cache;
  Selection selection = select(context(tree), copy_action(".", "/"));
  const Digest first = selection_digest(selection, cache.functions(), 2);
  CHECK(cache.known.size() == 2);
  CHECK(selection_digest(selection, cache.functions(), 2) == first);
  CHECK(cache.hits == 2);
  tree.file("f", "three");
  Selection changed = select(context(tree), copy_action(".", "/"));
  CHECK(selection_digest(changed, cache.functions(), 2) != first);
  CHECK(cache.hits == 3);
}

TEST_CASE("A file written just now is not remembered") {
  FileTree tree;
  MemoryCache cache;
  tree.file("f", "one");
  Selection selection = select(context(tree), copy_action("f", "/"));
  selection_digest(selection, cache.functions(), 1);
  CHECK(cache.known.empty());
}

TEST_CASE("A file that changed after the selection is taken as it is") {
  FileTree tree;
  tree.file("f", "one");
  Selection selection = select(context(tree), copy_action("f", "/"));
  tree.file("f", "longer");
  CHECK(selection_digest(selection, {}, 1) == digest_of(tree, "f"));
  CHECK(selection.sources[0].entries[0].inode.size == 6);
}

TEST_CASE("A file that is gone is left out") {
  FileTree tree;
  tree.file("d/f", "one").file("d/g", "two");
  Selection selection = select(context(tree), copy_action("d", "/"));
  ::unlink(tree.host_path("d/f").c_str());
  CHECK(selection_digest(selection, {}, 1) == digest_of(tree, "d"));
  CHECK(selection.sources[0].entries.size() == 2);
}

TEST_CASE("A file that is gone and was all that was asked for is an error") {
  FileTree tree;
  tree.file("f", "one");
  Selection selection = select(context(tree), copy_action("f", "/"));
  ::unlink(tree.host_path("f").c_str());
  CHECK_THROWS_AS(selection_digest(selection, {}, 1), Error);
}

TEST_CASE("What a bind mount shows has a digest, or is not found") {
  FileTree tree;
  tree.file("d/f", "x").file("secret", "1").link("l", "/d");
  const frontend::IgnoreMatcher ignore({"secret"});
  Tree source = context(tree);
  source.ignore = &ignore;
  const Digest before = shown_digest(source, "");
  tree.file("secret", "2");
  CHECK(shown_digest(source, "/") == before);
  CHECK(shown_digest(source, "l") == shown_digest(source, "d"));
  tree.file("d/f", "y");
  CHECK(shown_digest(source, "") != before);
  CHECK(error_of([&] { shown_digest(source, "x"); }).find("\"/x\": not found") != std::string::npos);
  CHECK(error_of([&] { shown_digest(source, "secret"); }).find("\"/secret\": not found") != std::string::npos);
}
