#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/feature.h"
#include "base/message.h"
#include "base/strings.h"
#include "base/subprocess.h"
#include "worker/ids/user_namespace.h"
#include "worker/jobs/jobs.h"
#include "worker/sandbox/network_interfaces.h"
#include "worker/sandbox/resolver.h"
#include "worker/snapshot/mount_calls.h"

// The network of a build. A namespace that belongs to the user namespace of the inner process, so that its processes
// may enter it, and a program (pasta, else slirp4netns) that has one foot in it, by a tap device, and one in the
// host's network, where it opens sockets like any other program of the user.
//
// This job is pid 1 of the pid namespace in which that program runs: when the job ends, which the death of any process
// of mbuild brings about, the kernel ends the program, and with its last user the namespace goes.
//
// Nothing is forwarded from the host into the namespace. Out of it, the program would connect to the host itself: to
// its loopback by the address of the gateway (switched off), and to its other addresses by those. So all addresses of
// the host are the namespace's own, and what is sent to them stays inside, also from a socket that is bound to the
// interface that leads outside, as every user may bind one. A step has no capabilities over the namespace and can't
// change that.
//
// The programs open /dev/net/tun themselves. Where ids are mapped to a range that may not, but the caller is root, the
// caller starts the program: in this job's mount and pid namespaces, with the caller's id, which is not root there.
namespace mbuild::executor::jobs {
namespace {

constexpr std::chrono::seconds k_patience(20);  // with a program that neither works nor fails
constexpr const char* k_tun = "/dev/net/tun";
// Where this job hides what is there behind a file system of its own. The first is where podman keeps the namespaces
// that it gives to pasta, and so where pasta's AppArmor profile lets it look; what is in the other nobody here needs.
constexpr const char* k_places[] = {"/run/user", "/sys"};

// A program could not be started, or not do its work.
struct Unavailable {
  std::string why;
  std::string advice;
};

struct Places {
  std::string directory, net, user, ready, log;
};

class Network {
 public:
  Network(const NetworkRequest& request, int report) : request_(request), report_(report) {}

  NetworkReply make();
  // Leads it to the bridge. Throws Error (host).
  void join(NetworkReply& reply);
  const Fd& name_space() const { return namespace_; }

 private:
  void make_namespace();
  void check_tun();
  // Says what make() will say when pasta works, as it has before.
  void promise();
  void start_as_promised();
  void start(NetworkKind kind);
  void start_pasta();
  void start_slirp4netns();
  void run(const std::vector<std::string>& argv);
  void in_namespace(const std::function<void()>& work);
  std::string resolver(NetworkKind kind) const;

  const NetworkRequest& request_;
  int report_;
  Places places_;
  Fd namespace_;
  bool by_caller_ = false;
  std::vector<InterfaceAddress> host_;
  Resolver resolver_;
};

std::string optional_file(const std::string& path) { return path_exists(path) ? read_file(path) : ""; }

bool is_own(const std::vector<InterfaceAddress>& host, std::string_view address) {
  return std::any_of(host.begin(), host.end(), [&](const auto& own) { return own.address == address; });
}

void bind_to_file(const std::string& source, const std::string& place) {
  open_file(place, O_WRONLY | O_CREAT, 0644);
  if (::mount(source.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) < 0) {
    throw system_error(errno, "bind " + source, ExitClass::host);
  }
}

// A directory of this job's own.
std::string make_place() {
  struct stat status;
  const bool usual = ::stat(k_places[0], &status) == 0 && S_ISDIR(status.st_mode);
  const std::string place = usual ? k_places[0] : k_places[1];
  attach(make_filesystem("tmpfs", {{"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV).get(),
         open_file(place, O_PATH | O_DIRECTORY).get());
  make_directories(place + "/0/netns", 0755);
  return place + "/0/netns";
}

// In a child, because the way back into the host's network is closed to this user namespace.
void in_child(const std::function<void()>& work) {
  Pipe error = make_pipe();
  const pid_t pid = ::fork();
  if (pid < 0) throw system_error(errno, "fork", ExitClass::host);
  if (pid == 0) {
    try {
      work();
    } catch (const Error& failure) {
      write_all(error.write.get(), failure.message);
    } catch (const std::exception& failure) {
      write_all(error.write.get(), failure.what());
    }
    ::_exit(0);
  }
  error.write.reset();
  const std::string text = read_all(error.read.get());
  ::waitpid(pid, nullptr, 0);
  if (!text.empty()) throw Error(ExitClass::host, text);
}

void Network::make_namespace() {
  places_.directory = make_place();
  places_.net = places_.directory + "/net";
  places_.user = places_.directory + "/user";
  places_.ready = places_.directory + "/ready";
  places_.log = places_.directory + "/log";
  // A fresh /proc, because in a container the settings of the one that is there may be read-only.
  std::string proc = "/proc";
  try {
    const Fd fresh = make_filesystem("proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    ::mkdir((places_.directory + "/proc").c_str(), 0755);
    attach(fresh.get(), open_file(places_.directory + "/proc", O_PATH | O_DIRECTORY).get());
    proc = places_.directory + "/proc";
  } catch (const Error&) {
    // parts of it are masked
  }
  in_child([&] {
    if (::unshare(CLONE_NEWNET) < 0) throw system_error(errno, "unshare the network namespace", ExitClass::host);
    raise_loopback();
    allow_ports_and_ping(proc, read_file("/proc/self/gid_map"));
    bind_to_file("/proc/self/ns/net", places_.net);
  });
  bind_to_file("/proc/self/ns/user", places_.user);
  namespace_ = open_file(places_.net, O_RDONLY);
}

void Network::in_namespace(const std::function<void()>& work) {
  in_child([&] {
    if (::setns(namespace_.get(), CLONE_NEWNET) < 0) throw system_error(errno, "join the network", ExitClass::host);
    work();
  });
}

void Network::check_tun() {
  if (caller_ids().uid != 0) {  // the map of real root: this process could open it, without its capabilities nobody
    by_caller_ = true;
    return;
  }
  const Fd tun(::open(k_tun, O_RDWR | O_CLOEXEC));
  const int code = tun ? EACCES : errno;
  if (tun && !feature_disabled("tun")) return;
  if ((code == EACCES || code == EPERM) && request_.caller_is_root) {
    by_caller_ = true;
    return;
  }
  const bool closed = code == EACCES || code == EPERM;
  throw Unavailable{system_error(code, fmt::format("open {}", k_tun), ExitClass::host).message,
                    closed ? fmt::format("sudo chmod 0666 {}", k_tun)
                           : "sudo modprobe tun; in a container: start it with --device /dev/net/tun"};
}

// Waits for the program's end, here or at the caller's. Throws Unavailable with its last words when it failed.
void Network::run(const std::vector<std::string>& argv) {
  int status = 0;
  std::string words;
  if (by_caller_) {
    const Fd mounts = open_file("/proc/self/ns/mnt", O_RDONLY), pids = open_file("/proc/self/ns/pid", O_RDONLY);
    const int fds[] = {mounts.get(), pids.get(), namespace_.get()};
    if (!send_message(report_, {MessageType::request, 0, "start", encode(argv), {}}, fds)) ::_exit(0);
    const auto answer = receive_message(report_);
    if (!answer) ::_exit(0);
    status = static_cast<int>(answer->id);
    words = answer->body();
  } else {
    in_namespace([] { make_lasting_tap(k_interface); });
    const auto result = run_program(argv);
    status = result.status;
    words = result.error;
  }
  if (status == 0) return;
  std::string last = fmt::format("exit status {}", status);
  for (const auto& line : split(words, '\n')) {
    // pasta complains that it has no system logger
    if (!trim(line).empty() && line.find("to syslog") == std::string::npos) last = trim(line);
  }
  throw Unavailable{last, {}};
}

namespace {

void add_ports(std::vector<std::string>& argv, const char* flag, const std::vector<std::string>& ports) {
  for (const auto& port : ports) argv.insert(argv.end(), {flag, port});
  if (ports.empty()) argv.insert(argv.end(), {flag, "none"});
}

}  // namespace

void Network::start_pasta() {
  std::vector<std::string> argv = {request_.pasta, "--quiet", "--config-net", "--no-netns-quit", "--no-map-gw"};
  for (const char* direction : {"-T", "-U"}) argv.insert(argv.end(), {direction, "none"});
  add_ports(argv, "-t", request_.tcp);
  add_ports(argv, "-u", request_.udp);
  if (resolver_.forward_ipv4) argv.insert(argv.end(), {"--dns-forward", k_forward_ipv4});
  if (resolver_.forward_ipv6) argv.insert(argv.end(), {"--dns-forward", k_forward_ipv6});
  // What looks like the host's root to it may be that of a map of all ids.
  argv.insert(argv.end(), {"--runas", "0:0"});
  if (by_caller_) {
    argv.insert(argv.end(), {"--userns", places_.user});
  } else {
    argv.push_back("--netns-only");
  }
  argv.insert(argv.end(), {"--ns-ifname", k_interface, "--netns", places_.net});
  run(argv);
}

// It stays in the foreground; that it is ready it says through a pipe.
void Network::start_slirp4netns() {
  if (::mkfifo(places_.ready.c_str(), 0666) < 0) throw system_error(errno, "mkfifo", ExitClass::host);
  if (::chmod(places_.ready.c_str(), 0666) < 0) throw system_error(errno, "chmod", ExitClass::host);
  const Fd log = open_file(places_.log, O_WRONLY | O_CREAT, 0666);
  ::fchmod(log.get(), 0666);
  const Fd ready = open_file(places_.ready, O_RDONLY | O_NONBLOCK);
  std::vector<std::string> argv = {"sh",
                                   "-c",
                                   R"(ready=$1 log=$2; shift 2; "$@" 3>"$ready" >/dev/null 2>"$log" </dev/null &)",
                                   "sh",
                                   places_.ready,
                                   places_.log,
                                   request_.slirp4netns,
                                   "--configure",
                                   "--mtu=65520",
                                   "--disable-host-loopback",
                                   "--enable-sandbox",
                                   "--enable-seccomp",
                                   "--ready-fd=3",
                                   "--netns-type=path"};
  if (by_caller_) argv.push_back("--userns-path=" + places_.user);
  argv.insert(argv.end(), {places_.net, k_interface});
  run(argv);
  char byte = 0;
  const auto end = std::chrono::steady_clock::now() + k_patience;
  for (;;) {
    const ssize_t n = ::read(ready.get(), &byte, 1);
    if (n == 1) return;
    const std::string words = read_file(places_.log);
    // Before the shell has opened it, the pipe looks ended, too: the program's death is told by its last words.
    if ((n == 0 && !words.empty()) || std::chrono::steady_clock::now() > end) {
      const auto lines = split(trim(words), '\n');
      throw Unavailable{lines.empty() || lines.back().empty() ? "it does not answer" : lines.back(), {}};
    }
    pollfd wait = {ready.get(), POLLIN, 0};
    if (n < 0) {
      ::poll(&wait, 1, 100);
    } else {
      ::usleep(1000);
    }
  }
}

std::string Network::resolver(NetworkKind kind) const {
  if (kind != NetworkKind::slirp4netns) return resolver_.text;
  constexpr const char* k_name_server = "10.0.2.3";  // slirp4netns's own
  const auto own = [&](std::string_view address) {
    return address.find(':') != std::string_view::npos || is_own(host_, address);
  };
  return resolver_of_build(optional_file("/etc/resolv.conf"), own, k_name_server, k_name_server).text;
}

void Network::start(NetworkKind kind) {
  const bool is_pasta = kind == NetworkKind::pasta;
  const char* name = is_pasta ? "pasta" : "slirp4netns";
  if (feature_disabled(name)) throw Unavailable{"switched off by MBUILD_TEST_DISABLE", {}};
  if ((is_pasta ? request_.pasta : request_.slirp4netns).empty()) {
    throw Unavailable{"not installed", is_pasta ? "sudo apt-get install passt" : "sudo apt-get install slirp4netns"};
  }
  check_tun();
  is_pasta ? start_pasta() : start_slirp4netns();
  in_namespace([&] {
    add_own_addresses(host_);
    keep_inside(host_);
  });
}

NetworkReply Network::make() {
  NetworkReply out;
  try {
    host_ = interface_addresses();
    resolver_ = resolver_of_build(optional_file("/etc/resolv.conf"),
                                  [&](std::string_view address) { return is_own(host_, address); });
    make_namespace();
  } catch (const Error& error) {
    out.problem = error.message;
    return out;
  }
  if (request_.closed) {
    out.kind = NetworkKind::loopback;
    return out;
  }
  if (request_.is_proven) {
    promise();
    start_as_promised();
    return {.kind = NetworkKind::pasta, .resolv_conf = resolver_.text, .problem = {}, .advice = {}};
  }
  const bool publishes = !request_.tcp.empty() || !request_.udp.empty();
  for (const auto& [kind, name] : {std::pair(NetworkKind::pasta, "pasta"), {NetworkKind::slirp4netns, "slirp4netns"}}) {
    if (publishes && kind != NetworkKind::pasta) continue;
    std::string why, advice;
    try {
      start(kind);
      out.kind = kind;
      out.resolv_conf = resolver(kind);
      return out;
    } catch (const Unavailable& unavailable) {
      why = unavailable.why;
      advice = unavailable.advice;
    } catch (const Error& error) {
      why = error.message;
    }
    in_namespace([] { remove_interface(k_interface); });
    out.problem += fmt::format("{}{}: {}", out.problem.empty() ? "" : "; ", name, why);
    if (out.advice.empty()) out.advice = advice;
  }
  if (!publishes && !has_default_route(optional_file("/proc/net/route"), optional_file("/proc/net/ipv6_route"))) {
    out.kind = NetworkKind::loopback;
    out.resolv_conf = optional_file("/etc/resolv.conf");
  }
  return out;
}

void Network::promise() {
  const int fd = namespace_.get();
  const NetworkReply reply{.kind = NetworkKind::pasta, .resolv_conf = resolver_.text, .problem = {}, .advice = {}};
  send_message(report_, {MessageType::ready, 0, "", encode(reply), {}}, std::span<const int>(&fd, 1));
}

void Network::start_as_promised() {
  try {
    start(NetworkKind::pasta);
  } catch (const Unavailable& unavailable) {
    throw Error(ExitClass::host, "the network came to nothing: pasta: " + unavailable.why)
        .with_advice("Run the command again: the next one begins when its network is there.");
  }
}

// After the way out, which takes the first interface there is for its own.
void Network::join(NetworkReply& reply) {
  if (!namespace_) throw Error(ExitClass::host, "the container has no network of its own: " + reply.problem);
  in_child([&] {
    if (::setns(request_.bridge.get(), CLONE_NEWNET) < 0) throw system_error(errno, "join the bridge", ExitClass::host);
    lead_to_bridge(namespace_.get());
  });
  in_namespace([&] { take_bridge_address(request_.address); });
  if (reply.kind == NetworkKind::host) reply.kind = NetworkKind::loopback;
}

}  // namespace

void bridge_job(BridgeRequest request) {
  if (::unshare(CLONE_NEWNET) < 0) throw system_error(errno, "unshare the network namespace", ExitClass::host);
  make_bridge();
  const Fd user = open_file("/proc/self/ns/user", O_RDONLY), net = open_file("/proc/self/ns/net", O_RDONLY);
  const int fds[] = {user.get(), net.get()};
  send_message(request.report.get(), {MessageType::ready, 0, "", "", {}}, fds);
}

void network_job(NetworkRequest request) {
  Network network(request, request.report.get());
  NetworkReply reply = network.make();
  if (request.bridge) network.join(reply);
  const int fd = network.name_space().get();
  const bool joined = reply.kind != NetworkKind::host;
  send_message(request.report.get(), {MessageType::result, 0, "", encode(reply), {}},
               std::span<const int>(&fd, joined ? 1 : 0));
  if (!joined) return;
  ::signal(SIGCHLD, SIG_IGN);  // whom pid 1 inherits
  for (;;) ::pause();
}

}  // namespace mbuild::executor::jobs
