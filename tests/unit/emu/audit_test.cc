#include "emu/audit.h"

#include "tests/catch.h"
#include "tests/unit/emu/elf_samples.h"

using namespace mbuild;
using namespace mbuild::emu;
using namespace mbuild::emu::samples;

namespace {

class Image {
 public:
  explicit Image(std::string_view platform, std::vector<std::string> allow = {})
      : audit_(platforms::parse_platform(platform), std::move(allow)) {}

  Image& add(const std::string& path, std::string_view content, std::size_t piece = 1 << 16) {
    image::Inode inode;
    inode.size = content.size();
    audit_.begin_entry(path, inode);
    for (; !content.empty(); content.remove_prefix(std::min(piece, content.size())))
      audit_.data(content.substr(0, piece));
    audit_.end_entry();
    return *this;
  }
  const std::vector<AuditFinding>& findings() const { return audit_.findings(); }
  std::size_t elf_files() const { return audit_.elf_files(); }
  ArchitectureAudit& audit() { return audit_; }

 private:
  ArchitectureAudit audit_;
};

std::string with_isa(std::uint32_t needed) {
  const std::string property = word(true, 0xc0008002) + word(true, 4) + word(true, needed) + word(true, 0);
  return make_elf({.platform = "linux/amd64",
                   .type = 3,
                   .code = "",
                   .segments = {{.type = k_note, .content = gnu_note(true, 5, property)},
                                {.type = k_dynamic, .content = std::string(16, '\0'), .align = 8}},
                   .gap = 0});
}

}  // namespace

TEST_CASE("a foreign program is reported with path and both processors") {
  Image image("linux/arm64");
  image.add("usr/bin/good", static_program("linux/arm64")).add("usr/bin/bad", static_program("linux/amd64"));
  REQUIRE(image.findings().size() == 1);
  CHECK(to_string(image.findings()[0]) ==
        "/usr/bin/bad is a statically linked program for amd64 (x86-64), the image is for arm64 (AArch64)");
  CHECK_FALSE(image.findings()[0].compatible);
  CHECK(image.elf_files() == 2);
}

TEST_CASE("class and byte order count as well as the machine") {
  CHECK(Image("linux/ppc64le").add("a", static_program("linux/ppc64")).findings().size() == 1);
  CHECK(Image("linux/mips64le").add("a", static_program("linux/mipsle")).findings().size() == 1);
}

TEST_CASE("a 386 program in an amd64 image is marked as compatible") {
  Image image("linux/amd64");
  image.add("bin/old", static_program("linux/386"));
  REQUIRE(image.findings().size() == 1);
  CHECK(image.findings()[0].compatible);
}

TEST_CASE("object files, other formats and machines without a platform are passed over") {
  std::string bpf = static_program("linux/amd64");
  bpf[18] = static_cast<char>(247);
  Image image("linux/arm64");
  image.add("a.o", make_elf({.platform = "linux/amd64", .type = 1, .code = "", .segments = {}, .gap = 0}))
      .add("lib.a", "!<arch>\n" + static_program("linux/amd64"))
      .add("script", "#!/bin/sh\n")
      .add("empty", "")
      .add("program.bpf", bpf);
  CHECK(image.findings().empty());
}

TEST_CASE("links and directories have no content to look at") {
  Image image("linux/arm64");
  image::Inode link;
  link.type = image::FileType::symlink;
  image.add("first", static_program("linux/amd64"));
  image.audit().begin_entry("link", link);
  image.audit().end_entry();
  CHECK(image.findings().size() == 1);
}

TEST_CASE("the size of the pieces does not matter") {
  const std::string file = dynamic_program("linux/amd64", "/lib64/ld-linux-x86-64.so.2") + std::string(20000, 'x');
  for (const std::size_t piece : {1, 7, 64, 4096, 30000}) {
    Image image("linux/arm64");
    image.add("text", std::string(20000, 'x'), piece).add("bin/bad", file, piece);
    REQUIRE(image.findings().size() == 1);
    CHECK(image.findings()[0].file_kind == "program");
  }
}

TEST_CASE("soft-float programs are foreign in a hard-float image") {
  Image image("linux/arm/v7");
  image.add("good", dynamic_program("linux/arm/v7", "/lib/ld-linux-armhf.so.3"))
      .add("own", dynamic_program("linux/arm/v7", "/opt/own/ld.so"))
      .add("soft", dynamic_program("linux/arm/v5", "/lib/ld-linux.so.3"));
  REQUIRE(image.findings().size() == 1);
  CHECK(image.findings()[0].kind == AuditFinding::Kind::loader);
  CHECK(to_string(image.findings()[0]) ==
        "/soft is a program that needs the loader /lib/ld-linux.so.3, which is not that of linux/arm/v7");
}

TEST_CASE("instructions beyond the variant are reported") {
  CHECK(Image("linux/amd64").add("a", with_isa(1)).findings().empty());
  CHECK(Image("linux/amd64/v3").add("a", with_isa(7)).findings().empty());
  Image image("linux/amd64");
  image.add("usr/lib/libx.so", with_isa(7)).add("usr/lib/glibc-hwcaps/x86-64-v3/libx.so", with_isa(7));
  REQUIRE(image.findings().size() == 1);
  CHECK(to_string(image.findings()[0]) ==
        "/usr/lib/libx.so is a shared object that needs an x86-64-v3 processor, the image promises no more than "
        "x86-64-v1");
}

TEST_CASE("what a glob allows is not reported") {
  const auto allowed = [](const std::string& glob, const std::string& path) { return is_allowed({glob}, path); };
  CHECK(allowed("/usr/lib/x/*", "/usr/lib/x/deep/file"));
  CHECK(allowed("/usr/lib/x", "/usr/lib/x/deep/file"));
  CHECK(allowed("usr/lib/x/", "/usr/lib/x/file"));
  CHECK(allowed("*.node", "/app/a.node"));
  CHECK(allowed("/usr/bin/qemu-*", "/usr/bin/qemu-arm"));
  CHECK_FALSE(allowed("/usr/lib/x", "/usr/lib/xy"));
  CHECK_FALSE(allowed("a.node", "/app/aa.node"));
  CHECK(Image("linux/arm64", {"*.node"}).add("app/a.node", static_program("linux/amd64")).findings().empty());
}

TEST_CASE("of a platform without a descriptor nothing is said") {
  CHECK(Image("windows/amd64").add("a", static_program("linux/amd64")).findings().empty());
}
