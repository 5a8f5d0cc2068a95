#include "remote/git.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "remote/url.h"
#include "tests/catch.h"
#include "tests/unit/remote/test_process.h"
#include "tests/unit/remote/test_server.h"

using namespace mbuild;
using namespace mbuild::remote;
using namespace mbuild::remote::testing;
using frontend::GitRef;

namespace {

// A repository: two commits on main, a branch "other", an annotated tag "v1" on the first commit.
struct GitRepository {
  TestDirectory directory;
  std::string path = directory.path + "/repo.git";
  std::string first, second, other, tag_object;

  explicit GitRepository(const std::string& format = "sha1") {
    make_directories(path + "/sub/deep");
    git({"init", "-q", "-b", "main", "--object-format=" + format});
    write_file_atomically(path + "/file", "one\n", 0600);
    write_file_atomically(path + "/sub/deep/run.sh", "#!/bin/sh\n", 0700);
    ::symlink("file", (path + "/link").c_str());
    ::symlink("/", (path + "/root").c_str());
    first = commit("first");
    git({"tag", "-a", "-m", "tag", "v1"});
    tag_object = git({"rev-parse", "v1"});
    write_file_atomically(path + "/file", "two\n");
    second = commit("second");
    git({"checkout", "-q", "-b", "other"});
    write_file_atomically(path + "/file", "other\n");
    other = commit("other");
    git({"checkout", "-q", "main"});
  }

  std::string git(std::vector<std::string> arguments) const {
    std::vector<std::string> argv{"git", "-c", "user.name=t", "-c", "user.email=t@t.example"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const auto result = run_program(
        argv, {}, {}, path,
        {"GIT_COMMITTER_DATE=1600000000 +0000", "GIT_AUTHOR_DATE=1500000000 +0000", "GIT_CONFIG_GLOBAL=/dev/null"});
    if (result.status != 0) throw std::runtime_error("git: " + result.error);
    return std::string(trim(result.output));
  }

  std::string commit(const std::string& message) const {
    git({"add", "-A"});
    git({"commit", "-q", "-m", message});
    return git({"rev-parse", "HEAD"});
  }

  GitRef at(const std::string& ref) const {
    GitRef source;
    source.remote = "file://" + path;
    source.ref = ref;
    return source;
  }
};

struct Destination {
  TestDirectory directory;
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory.path)) {
      found.insert(entry.path().filename().string());
    }
    return found;
  }
  std::string text(const std::string& name) const { return read_file(directory.path + "/" + name); }
  struct stat status(const std::string& name) const {
    struct stat result{};
    ::lstat((directory.path + "/" + name).c_str(), &result);
    return result;
  }
};

// `git daemon` for the repositories below a directory.
struct GitDaemon {
  TestDirectory directory;
  int port = free_port();
  TestProcess process;

  explicit GitDaemon(const std::string& base)
      : process({"git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", fmt::format("--port={}", port),
                 "--base-path=" + base},
                port, directory.path + "/log") {}
  std::string url(const std::string& name) const { return fmt::format("git://127.0.0.1:{}/{}", port, name); }
};

GitCheckout check_out(const GitRef& source, const Destination& destination, const GitOptions& options = {}) {
  return checkout_git(source, destination.directory.path, options, {});
}

}  // namespace

TEST_CASE("references resolve to commits: HEAD, branch, tag, full name, hash") {
  const GitRepository repository;
  CHECK(resolve_git(repository.at(""), {}, {}).commit == repository.second);
  const auto branch = resolve_git(repository.at("other"), {}, {});
  CHECK(branch.commit == repository.other);
  CHECK(branch.ref == "refs/heads/other");
  const auto tag = resolve_git(repository.at("v1"), {}, {});
  CHECK(tag.commit == repository.first);
  CHECK(tag.tag_object == repository.tag_object);
  CHECK(resolve_git(repository.at("refs/tags/v1"), {}, {}).commit == repository.first);
  CHECK(resolve_git(repository.at(repository.first), {}, {}).commit == repository.first);
  CHECK_THROWS_WITH(resolve_git(repository.at("absent"), {}, {}), Catch::Contains("does not contain ref absent"));
}

TEST_CASE("a check-out has the commit's files, modes 0644 and 0755, and nothing else") {
  const GitRepository repository;
  const Destination destination;
  const auto mask = ::umask(077);
  const auto result = check_out(repository.at("v1"), destination);
  ::umask(mask);
  CHECK(result.commit.commit == repository.first);
  CHECK(result.commit_time == 1600000000);
  CHECK(destination.names() == std::set<std::string>{"file", "link", "root", "sub"});
  CHECK(destination.text("file") == "one\n");
  CHECK((destination.status("file").st_mode & 07777) == 0644);
  CHECK((destination.status("sub/deep/run.sh").st_mode & 07777) == 0755);
  CHECK((destination.status("sub").st_mode & 07777) == 0755);
  CHECK(S_ISLNK(destination.status("link").st_mode));
}

TEST_CASE("a commit is fetched by its hash, shortened or whole") {
  const GitRepository repository;
  for (const auto& hash : {repository.first, repository.first.substr(0, 8)}) {
    const Destination destination;
    CHECK(check_out(repository.at(hash), destination).commit.commit == repository.first);
    CHECK(destination.text("file") == "one\n");
  }
  const Destination destination;
  CHECK_THROWS_WITH(check_out(repository.at(std::string(40, 'a')), destination), Catch::Contains("does not contain"));
  CHECK(destination.names().empty());
}

TEST_CASE("the check-out is shallow") {
  const GitRepository repository;
  const Destination destination;
  auto source = repository.at("main");
  source.keep_git_dir = true;
  check_out(source, destination);
  const auto count = run_program({"git", "rev-list", "--count", "HEAD"}, {}, {}, destination.directory.path);
  CHECK(trim(count.output) == "1");
}

TEST_CASE(".git is kept on request, with the tag that was asked for") {
  const GitRepository repository;
  const Destination destination;
  auto source = repository.at("v1");
  source.keep_git_dir = true;
  CHECK(check_out(source, destination).commit.tag_object == repository.tag_object);
  CHECK(destination.names().contains(".git"));
  const auto status = run_program({"git", "status", "--porcelain"}, {}, {}, destination.directory.path);
  CHECK(status.output.empty());
  const auto described = run_program({"git", "describe"}, {}, {}, destination.directory.path);
  CHECK(trim(described.output) == "v1");
}

TEST_CASE("a subdir alone is taken; links and paths that lead out are refused") {
  const GitRepository repository;
  const Destination destination;
  auto source = repository.at("main");
  source.subdir = "sub";
  check_out(source, destination);
  CHECK(destination.names() == std::set<std::string>{"deep"});
  for (const char* wrong : {"root", "root/etc", "absent", "file", ".git"}) {
    const Destination empty;
    source.subdir = wrong;
    CHECK_THROWS_WITH(check_out(source, empty), Catch::Contains("is not a directory"));
    CHECK(empty.names().empty());
  }
}

TEST_CASE("mtime=commit gives every file the commit's time") {
  const GitRepository repository;
  const Destination destination;
  auto source = repository.at("main");
  source.mtime = "commit";
  check_out(source, destination);
  for (const char* name : {"file", "link", "sub", "sub/deep/run.sh"}) {
    CHECK(destination.status(name).st_mtim.tv_sec == 1600000000);
  }
}

TEST_CASE("a checksum matches commit or tag object, or the beginning of one") {
  const GitRepository repository;
  auto source = repository.at("v1");
  for (const auto& checksum : {repository.first, repository.first.substr(0, 12), repository.tag_object}) {
    const Destination destination;
    source.checksum = checksum;
    CHECK(check_out(source, destination).commit.commit == repository.first);
  }
  source.checksum = repository.second;
  CHECK_THROWS_WITH(resolve_git(source, {}, {}), Catch::Contains(fmt::format("expected checksum to match {}, got {}",
                                                                             repository.second, repository.first)));
  source.checksum = "not-hex";
  CHECK_THROWS_WITH(resolve_git(source, {}, {}), Catch::Contains("invalid checksum"));
}

TEST_CASE("a checksum without a ref is what is fetched, and beats the ref when asked to") {
  const GitRepository repository;
  const Destination one, two;
  auto source = repository.at("");
  source.checksum = repository.first;
  CHECK(check_out(source, one).commit.commit == repository.first);
  source.ref = "main";
  source.fetch_by_commit = true;
  CHECK(check_out(source, two).commit.commit == repository.first);
}

TEST_CASE("a repository with sha256 objects works") {
  const GitRepository repository("sha256");
  for (const auto& ref : {std::string("main"), std::string("v1"), repository.first, repository.first.substr(0, 9)}) {
    const Destination destination;
    CHECK(check_out(repository.at(ref), destination).commit.commit.size() == 64);
  }
}

TEST_CASE("submodules are fetched through git daemon, unless switched off") {
  const GitRepository inner, outer;
  std::filesystem::create_directory_symlink(inner.path, outer.directory.path + "/inner.git");
  const GitDaemon daemon(outer.directory.path);
  outer.git({"submodule", "--quiet", "add", daemon.url("inner.git"), "module"});
  outer.commit("with submodule");
  auto source = outer.at("main");
  source.remote = daemon.url("repo.git");
  {
    const Destination destination;
    check_out(source, destination);
    CHECK(destination.text("module/file") == "two\n");
    CHECK_FALSE(path_exists(destination.directory.path + "/module/.git"));
    CHECK_FALSE(path_exists(destination.directory.path + "/.git"));
  }
  source.submodules = false;
  const Destination destination;
  check_out(source, destination);
  CHECK_FALSE(path_exists(destination.directory.path + "/module/file"));
}

TEST_CASE("a server that does not serve hidden commits is asked for everything") {
  const GitRepository repository;
  repository.git({"config", "uploadpack.allowAnySHA1InWant", "false"});
  const GitDaemon daemon(repository.directory.path);
  auto source = repository.at(repository.first.substr(0, 10));
  source.remote = daemon.url("repo.git");
  const Destination destination;
  CHECK(check_out(source, destination).commit.commit == repository.first);
}

TEST_CASE("the user's git configuration has no say") {
  const GitRepository repository;
  const TestDirectory home;
  write_file_atomically(home.path + "/.gitconfig", "[core]\n\tautocrlf = true\n\teol = crlf\n");
  const ScopedVariable variable("HOME", home.path), hook("GIT_DIR", "/nonexistent");
  const Destination destination;
  check_out(repository.at("main"), destination);
  CHECK(destination.text("file") == "two\n");
}

TEST_CASE("the authorization is sent to the remote, and asked for in the advice when it is missing") {
  std::atomic<bool> authorized = false;
  TestServer server([&](const ServerRequest& request) {
    ServerResponse response;
    const auto it = request.headers.find("authorization");
    const bool right = it != request.headers.end() && it->second == "basic abc";
    if (right) authorized = true;
    response.status = right ? 404 : 401;
    if (!right) response.headers = {{"WWW-Authenticate", "Basic realm=\"git\""}};
    return response;
  });
  GitRef source;
  source.remote = server.url("/a.git");
  GitOptions options;
  try {
    resolve_git(source, options, {});
    FAIL();
  } catch (const Error& error) {
    CHECK(error.exit_class == ExitClass::network);
    CHECK(error.advice.find("GIT_AUTH_TOKEN") != std::string::npos);
  }
  CHECK_FALSE(authorized);
  options.authorization = "basic abc";
  CHECK_THROWS_AS(resolve_git(source, options, {}), Error);
  CHECK(authorized);
}

TEST_CASE("a password in the address is not shown") {
  TestServer server([](const ServerRequest&) {
    ServerResponse response;
    response.status = 403;
    return response;
  });
  GitRef source;
  source.remote = "http://me:sesame@" + server.host() + "/a.git";
  try {
    resolve_git(source, {}, {});
    FAIL();
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("sesame") == std::string::npos);
  }
}

TEST_CASE("a failing server is tried again") {
  std::atomic<int> count = 0;
  TestServer server([&](const ServerRequest&) {
    ServerResponse response;
    response.status = ++count < 2 ? 503 : 404;
    return response;
  });
  GitRef source;
  source.remote = server.url("/a.git");
  int told = 0;
  GitOptions options;
  options.on_retry = [&](std::string_view, std::chrono::milliseconds) { ++told; };
  CHECK_THROWS_AS(resolve_git(source, options, {}), Error);
  CHECK(told == 1);
}

TEST_CASE("a stop ends git at once, though its helper still waits for the server") {
  TestServer server([](const ServerRequest&) {
    ServerResponse response;
    response.hang = true;
    return response;
  });
  GitRef source;
  source.remote = server.url("/a.git");
  std::stop_source stop;
  const std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    stop.request_stop();
  });
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(resolve_git(source, {}, stop.get_token()), Cancelled);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
}

TEST_CASE("git authorization comes from secrets, the host's own first, for http only") {
  std::map<std::string, std::string> secrets{{"GIT_AUTH_TOKEN", "general\n"}, {"GIT_AUTH_TOKEN.h.example", "own"}};
  const auto secret = [&](const std::string& name) {
    const auto it = secrets.find(name);
    return it != secrets.end() ? std::optional(it->second) : std::nullopt;
  };
  GitRef source;
  source.remote = "https://h.example/a.git";
  CHECK(git_authorization(source, secret) == "basic " + base64_encode("x-access-token:own"));
  source.remote = "https://o.example/a.git";
  CHECK(git_authorization(source, secret) == "basic " + base64_encode("x-access-token:general"));
  secrets["GIT_AUTH_HEADER.o.example"] = "Bearer x";
  CHECK(git_authorization(source, secret) == "Bearer x");
  source.remote = "git@h.example:a.git";
  CHECK(git_authorization(source, secret) == "");
}
