#include "worker/sandbox/exec_plan.h"

#include <map>

#include "tests/catch.h"

namespace mbuild::executor {
namespace {

const std::vector<Emulator> k_emulators = {{"\x7f"
                                            "ELF1",
                                            std::string(5, '\xff'), "/usr/bin/qemu-one"},
                                           {"\x7f"
                                            "ELF2",
                                            std::string(5, '\xff'), "/usr/bin/qemu-two"}};

using Words = std::vector<std::string>;

std::optional<ExecPlan> plan(const std::string& path, const std::string& argv0,
                             const std::map<std::string, std::string>& files) {
  return plan_exec(k_emulators, path, argv0, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = files.find(name);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  });
}

}  // namespace

TEST_CASE("a foreign program is the emulator's, with the name that it was called by") {
  const auto found = plan("/bin/tool", "-name",
                          {{"/bin/tool",
                            "\x7f"
                            "ELF2..."}});
  REQUIRE(found);
  CHECK(found->emulator == 1);
  CHECK(found->head == Words{"qemu-two", "-0", "-name", "/bin/tool"});
  CHECK(plan("-tool", "",
             {{"-tool",
               "\x7f"
               "ELF1"}})
            ->head == Words{"qemu-one", "-0", "", "./-tool"});
  CHECK_FALSE(plan("/bin/tool", "tool",
                   {{"/bin/tool",
                     "\x7f"
                     "ELF3"}}));
  CHECK_FALSE(plan("/bin/tool", "tool", {{"/bin/tool", "\x7f"}}));
  CHECK_FALSE(plan("/nowhere", "tool", {}));
}

TEST_CASE("interpreters of scripts get what the kernel gives them") {
  std::map<std::string, std::string> files = {{"/sh",
                                               "\x7f"
                                               "ELF1"},
                                              {"/a", "#! /sh  -e  x \necho"},
                                              {"b", "#!/a\n"}};
  CHECK(plan("/a", "a", files)->head == Words{"qemu-one", "-0", "/sh", "/sh", "-e  x", "/a"});
  CHECK(plan("b", "b", files)->head == Words{"qemu-one", "-0", "/sh", "/sh", "-e  x", "/a", "b"});
  for (const char* text : {"#!", "#!\n/sh", "#! \t\n", "#!/nowhere\n", "echo"}) {
    files["/c"] = text;
    CHECK_FALSE(plan("/c", "c", files));
  }
}

TEST_CASE("scripts are followed as deep as the kernel does") {
  std::map<std::string, std::string> files = {{"/0",
                                               "\x7f"
                                               "ELF1"}};
  for (char n = '1'; n <= '6'; ++n) files[std::string("/") + n] = std::string("#!/") + static_cast<char>(n - 1) + "\n";
  CHECK(plan("/5", "5", files));
  CHECK_FALSE(plan("/6", "6", files));
}

}  // namespace mbuild::executor
