#include "files/live_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/fd.h"
#include "files/select.h"
#include "tests/catch.h"
#include "tests/unit/files/file_tree.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;

namespace {

TreeEntry entry_of(const FileTree& tree, const std::string& path) {
  return select(context(tree), copy_action(path, "/")).sources.at(0).entries.at(0);
}

}  // namespace

TEST_CASE("Of a file that grows all the time a beginning is read, and its digest is that of the bytes") {
  FileTree tree;
  tree.file("log", "first line\n").file("out", "what was there before");
  const TreeEntry seen = entry_of(tree, "log");
  std::atomic<bool> done = false;
  std::thread writer([&] {
    const Fd log = open_file(tree.host_path("log"), O_WRONLY | O_APPEND);
    while (!done) {  // slower than it is read: what reads to the end comes to it
      write_all(log.get(), "one more line of the log\n");
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  });
  for (int i = 0; i < 20; ++i) {
    const Fd out = open_file(tree.host_path("out"), O_RDWR);
    const auto now = copy_live_file(tree.fd(), "log", seen, out.get(), "log");
    const auto hashed = hash_live_file(tree.fd(), "log", seen);
    REQUIRE(now);
    REQUIRE(hashed);
    const std::string copied = tree.content("out");
    CHECK(now->inode.size == copied.size());
    CHECK(now->content == sha256(copied));
    const std::string whole = tree.content("log");
    CHECK(whole.starts_with(copied));
    CHECK(hashed->content == sha256(whole.substr(0, hashed->inode.size)));
  }
  done = true;
  writer.join();
}

TEST_CASE("What is there in place of a file is taken as what it is") {
  FileTree tree;
  tree.file("f", "x");
  const TreeEntry seen = entry_of(tree, "f");
  const auto now = [&] { return hash_live_file(tree.fd(), "f", seen); };
  CHECK(now()->content == sha256("x"));
  ::unlink(tree.host_path("f").c_str());
  CHECK_FALSE(now());
  ::mkfifo(tree.host_path("f").c_str(), 0600);
  CHECK(now()->inode.type == image::FileType::regular);
  CHECK(now()->content.empty());
  ::unlink(tree.host_path("f").c_str());
  tree.link("f", "target");
  CHECK(now()->inode.link_target == "target");
  ::unlink(tree.host_path("f").c_str());
  tree.directory("f");
  CHECK_FALSE(now());
}
