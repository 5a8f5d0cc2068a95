#include "files/owner.h"

#include "tests/catch.h"
#include "tests/unit/files/file_tree.h"

using namespace mbuild;
using namespace mbuild::executor;
using namespace mbuild::executor::test;

namespace {

const UserFiles k_files{
    .passwd = "root:x:0:0:root:/root:/bin/sh\n# comment\napp:x:1000:100:App:/home/app:/bin/sh\nshort:x:7\n",
    .group = "root:x:0:root\nstaff:x:50:app,other\nwheel:x:60:app\nempty:x:70:\n"};

}  // namespace

TEST_CASE("Users and groups are found by name and id") {
  CHECK(find_user(k_files.passwd, "app")->uid == 1000);
  CHECK(find_user(k_files.passwd, "short")->gid == 0);
  CHECK_FALSE(find_user(k_files.passwd, "ap"));
  CHECK(find_group(k_files.group, "wheel")->gid == 60);
}

TEST_CASE("Owners of files: a number is its own group, a name has its primary group") {
  CHECK(file_owner("app", k_files) == Owner{1000, 100});
  CHECK(file_owner("1000", k_files) == Owner{1000, 1000});
  CHECK(file_owner("app:staff", k_files) == Owner{1000, 50});
  CHECK(file_owner("77:staff", k_files) == Owner{77, 50});
  CHECK(file_owner("app:5", k_files) == Owner{1000, 5});
  CHECK(file_owner(":5", k_files) == Owner{0, 5});
  CHECK(file_owner("app:", k_files) == Owner{1000, 0});
  CHECK(file_owner("5:", k_files) == Owner{5, 0});
  CHECK(file_owner("+1:+2", k_files) == Owner{1, 2});
  CHECK(file_owner("-1", k_files) == Owner{0, 0});
}

TEST_CASE("root needs no file to be found in, other names do") {
  CHECK(file_owner("root:root", {}) == Owner{0, 0});
  CHECK_FALSE(names_user_or_group("root:5"));
  CHECK(names_user_or_group("5:staff"));
  CHECK_FALSE(names_user_or_group("2147483647"));
  CHECK(names_user_or_group("2147483648"));
  CHECK(names_user_or_group("+-1"));
  CHECK(error_of([] { file_owner("ghost", k_files); }) ==
        "unable to find user ghost: no matching entries in passwd file");
  CHECK(error_of([] { file_owner("1:ghosts", k_files); }) ==
        "unable to find group ghosts: no matching entries in group file");
  CHECK(file_owner("ghost", k_files, UnknownName::is_root) == Owner{0, 0});
}

TEST_CASE("The files are read inside the root, through links") {
  FileTree root;
  root.file("lib/passwd", k_files.passwd).link("etc/passwd", "/lib/passwd");
  const UserFiles files = read_user_files(root.fd());
  CHECK(files.passwd == k_files.passwd);
  CHECK(files.group.empty());
}
