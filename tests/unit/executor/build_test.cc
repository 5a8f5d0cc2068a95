#include "executor/build.h"

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "base/error.h"
#include "base/fd.h"
#include "executor/collect.h"
#include "tests/catch.h"
#include "tests/needs.h"
#include "tests/temporary.h"
#include "tests/unit/worker/inner_jobs.h"

using namespace mbuild;
using namespace mbuild::executor;

namespace {

// The names of what was done, not found.
class Seen final : public ProgressSink {
 public:
  void vertex(const VertexEvent& event) override {
    const std::lock_guard lock(mutex_);
    if (event.state == VertexState::completed) names_.push_back(event.name);
  }
  void log(const LogEvent&) override {}
  void status(const StatusEvent&) override {}

  std::size_t count(const std::string& part) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::ranges::count_if(names_, [&](const auto& name) { return name.find(part) != std::string::npos; }));
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> names_;
};

// Targets in a directory of their own, each with a local output.
struct Session {
  Session() { request.store_root = directory / "store"; }
  ~Session() { remove_everything(request.store_root); }

  void write(const std::string& name, const std::string& text) {
    const std::string path = directory / name;
    make_directories(std::filesystem::path(path).parent_path().string());
    write_file_atomically(path, text);
  }
  // With the directory CONTEXT and the Dockerfile NAME.Dockerfile.
  TargetRequest& add(const std::string& name, const std::string& dockerfile, const std::string& context = "context") {
    write(name + ".Dockerfile", dockerfile);
    make_directories(directory / context);
    TargetRequest target;
    target.name = name;
    target.context = directory / context;
    target.dockerfile = directory / (name + ".Dockerfile");
    target.outputs = {parse_output({{"type", "local"}, {"dest", directory / ("out/" + name)}})};
    targets.push_back(std::move(target));
    return targets.back();
  }
  void build() { run_builds(request, targets, seen, {}, results); }
  std::string error() {
    return testing::error_of([this] { build(); });
  }
  std::string output(const std::string& target, const std::string& path) {
    return read_file(directory / ("out/" + target + "/" + path));
  }
  bool has_output(const std::string& target) { return std::filesystem::exists(directory / ("out/" + target)); }

  const testing::ScopedVariable no_upkeep{"MBUILD_TEST_DISABLE", "upkeep"};
  const testing::TemporaryDirectory directory;
  SessionRequest request;
  std::vector<TargetRequest> targets;
  std::vector<BuildResult> results;
  Seen seen;
};

}  // namespace

TEST_CASE("what two targets have in common is done once, and each has its output") {
  NEEDS(test::have_inner(), "user namespaces");
  Session session;
  session.write("context/shared", "of both");
  session.write("context/one", "1");
  session.write("context/two", "2");
  const std::string base = "FROM scratch AS base\nCOPY shared /shared\n";
  session.add("one", base + "FROM base\nCOPY one /own\n");
  session.add("two", base + "FROM base\nCOPY two /own\n");
  session.build();
  CHECK(session.seen.count("COPY shared") == 1);
  CHECK(session.seen.count("load build context") == 1);
  CHECK(session.output("one", "own") == "1");
  CHECK(session.output("two", "own") == "2");
  CHECK(session.output("two", "shared") == "of both");
  CHECK(session.results[0].steps_run == 2);
  CHECK(session.results[1].steps_run == 1);  // the common one is counted once
}

TEST_CASE("contexts of one name in two targets are two directories") {
  Session session;
  NEEDS(test::have_inner(), "user namespaces");
  session.write("left/file", "left");
  session.write("right/file", "right");
  session.write("named-left/file", "named left");
  session.write("named-right/file", "named right");
  const std::string text = "FROM scratch\nCOPY file /file\nCOPY --from=extra file /extra\n";
  session.add("one", text, "left").contexts = {{"extra", session.directory / "named-left"}};
  session.add("two", text, "right").contexts = {{"extra", session.directory / "named-right"}};
  session.build();
  CHECK(session.output("one", "file") == "left");
  CHECK(session.output("one", "extra") == "named left");
  CHECK(session.output("two", "file") == "right");
  CHECK(session.output("two", "extra") == "named right");
}

TEST_CASE("a target that is a context is a base like an image, and is not built again") {
  NEEDS(test::have_inner(), "user namespaces");
  Session session;
  session.write("context/file", "of the base");
  session.add("user", "FROM base\nCOPY file ${NAME}\nCOPY --from=base /file /copied\n").contexts = {
      {"base", "target:other"}};
  session.add("other",
              "FROM scratch\nCOPY file /file\nENV NAME=from-env\nWORKDIR /work\nONBUILD COPY file /triggered\n");
  session.build();
  CHECK(session.seen.count("COPY file /file") == 1);
  CHECK(session.output("user", "file") == "of the base");
  CHECK(session.output("user", "work/from-env") == "of the base");
  CHECK(session.output("user", "copied") == "of the base");
  CHECK(session.output("user", "triggered") == "of the base");
  CHECK(session.output("other", "file") == "of the base");
  CHECK_FALSE(std::filesystem::exists(session.directory / "out/other/triggered"));
}

TEST_CASE("a target that is a context has to be there, for the platform, and not in a circle") {
  Session session;
  NEEDS(test::have_inner(), "user namespaces");
  session.add("user", "FROM base\n").contexts = {{"base", "target:other"}};
  session.add("more", "FROM scratch\n");
  CHECK(testing::mentions(session.error(), "there is no target other"));
  session.targets[1].name = "other";
  session.targets[1].platforms = {platforms::parse_platform("linux/s390x")};
  session.targets[0].platforms = {platforms::parse_platform("linux/riscv64")};
  CHECK(testing::mentions(session.error(), "the target other is not built for linux/riscv64"));
  session.targets[1].contexts = {{"loop", "target:user"}};
  CHECK(testing::mentions(session.error(), "needs itself"));
  session.targets[1].name = "user";
  CHECK(testing::mentions(session.error(), "two targets have the name \"user\""));
}

TEST_CASE("secrets with one id are those of the target") {
  const test::BusyboxTree busybox;
  NEEDS(busybox.ready, "busybox");
  Session session;
  const std::string text = "FROM scratch\nCOPY . /\nRUN --mount=type=secret,id=word cat /run/secrets/word > /told\n";
  session.add("one", text).secrets = {{.id = "word", .file = {}, .value = "first"}};
  session.add("two", text).secrets = {{.id = "word", .file = {}, .value = "second"}};
  session.add("like-one", text).secrets = {{.id = "word", .file = {}, .value = "first"}};
  for (auto& target : session.targets) target.context = busybox.host_path("base");
  session.build();
  CHECK(session.seen.count("COPY . /") == 1);
  CHECK(session.output("one", "told") == "first");
  CHECK(session.output("two", "told") == "second");
  CHECK(session.output("like-one", "told") == "first");
}

TEST_CASE("a step that targets share has the secret of the one that has it") {
  const test::BusyboxTree busybox;
  NEEDS(busybox.ready, "busybox");
  Session session;
  const std::string text = "FROM scratch\nCOPY . /\nRUN --mount=type=secret,id=word cat /run/secrets/word > /told\n";
  session.add("without", text);
  session.add("with", text).secrets = {{.id = "word", .file = {}, .value = "known"}};
  for (auto& target : session.targets) target.context = busybox.host_path("base");
  session.build();
  CHECK(session.seen.count("RUN ") == 1);
  CHECK(session.output("with", "told") == "known");
}

TEST_CASE("a target that fails ends all, or spares the others") {
  NEEDS(test::have_inner(), "user namespaces");
  Session session;
  session.write("context/file", "there");
  session.add("broken", "FROM scratch\nCOPY file /file\nCOPY missing /\n");
  session.add("sound", "FROM scratch\nCOPY file /file\n");
  session.add("user", "FROM broken\nCOPY file /more\n").contexts = {{"broken", "target:broken"}};
  session.add("unreadable", "FRO scratch\n");
  CHECK(testing::mentions(session.error(), "unknown instruction"));
  session.targets.pop_back();
  CHECK(testing::mentions(session.error(), "missing"));
  CHECK_FALSE(session.has_output("sound"));

  session.request.keep_going = true;
  CHECK(testing::mentions(session.error(), "missing"));
  CHECK(session.output("sound", "file") == "there");
  CHECK_FALSE(session.has_output("broken"));
  CHECK_FALSE(session.has_output("user"));
  CHECK(session.results[0].error.has_value());
  CHECK_FALSE(session.results[1].error.has_value());
  CHECK(session.results[2].error.has_value());
}

TEST_CASE("a target that can't be read spares those that need it not") {
  NEEDS(test::have_inner(), "user namespaces");
  Session session;
  session.write("context/file", "there");
  session.request.keep_going = true;
  session.add("user", "FROM unreadable\n").contexts = {{"unreadable", "target:unreadable"}};
  session.add("sound", "FROM scratch\nCOPY file /file\n");
  session.add("unreadable", "FRO scratch\n");
  CHECK(testing::mentions(session.error(), "unknown instruction"));
  CHECK(session.output("sound", "file") == "there");
  CHECK(testing::mentions(session.results[0].error->what(), "the target unreadable, which is a context here, failed"));
}

TEST_CASE("one target alone can read the standard input") {
  Session session;
  session.request.surroundings.read_input = [] { return std::string("FROM scratch\n"); };
  session.add("one", "").dockerfile = "-";
  session.add("two", "").context = "-";
  CHECK(testing::mentions(session.error(), "several targets want to read"));
}
