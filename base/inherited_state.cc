#include "base/inherited_state.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <bitset>
#include <csignal>
#include <cstdint>

namespace mbuild {
namespace {

constexpr rlim_t k_usual_files = 1024;
constexpr rlim_t k_usual_stack = rlim_t{8} << 20;
constexpr rlim_t k_least_stack = rlim_t{2} << 20;

void open_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is this one.
    if (::open("/dev/null", fd == 2 ? O_RDWR : O_RDONLY) < 0 && ::open("/", O_RDONLY | O_DIRECTORY) < 0) return;
  }
}

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal == SIGHUP || signal == SIGINT || signal == SIGQUIT || signal == SIGPIPE) continue;
    struct sigaction now;
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) ::signal(signal, SIG_DFL);
  }
  ::signal(SIGXFSZ, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The soft limit, after it was raised to `wanted` as far as the hard one allows.
rlim_t raise_limit(__rlimit_resource kind, rlim_t wanted) {
  rlimit limit;
  if (::getrlimit(kind, &limit) < 0) return wanted;
  if (limit.rlim_cur >= wanted) return limit.rlim_cur;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  ::setrlimit(kind, &limit);
  return limit.rlim_cur;
}

// Threads get the limit at the start of the program for their size.
void set_stack_of_threads() {
  pthread_attr_t attributes;
  if (::pthread_getattr_default_np(&attributes) != 0) return;
  std::size_t size = 0;
  if (::pthread_attr_getstacksize(&attributes, &size) == 0 && size < k_least_stack &&
      ::pthread_attr_setstacksize(&attributes, k_least_stack) == 0) {
    ::pthread_setattr_default_np(&attributes);
  }
  ::pthread_attr_destroy(&attributes);
}

struct Call {
  const std::function<int()>* body = nullptr;
  int result = 0;
};

// makecontext passes integers only: an address takes two.
void enter(unsigned high, unsigned low) {
  auto& call = *reinterpret_cast<Call*>((static_cast<std::uintptr_t>(high) << 32) | low);
  call.result = (*call.body)();
}

// Which descriptors were open at the start; before put_inherited_state_right() nothing is known.
std::bitset<128> given_descriptors;
bool given_are_known = false;

void note_descriptors() {
  for (std::size_t i = 0; i < given_descriptors.size(); ++i) {
    given_descriptors[i] = ::fcntl(static_cast<int>(i), F_GETFD) >= 0;
  }
  given_are_known = true;
}

}  // namespace

bool is_given_descriptor(int number) {
  if (number < 0) return false;
  if (given_are_known) {
    return static_cast<std::size_t>(number) < given_descriptors.size() &&
           given_descriptors[static_cast<std::size_t>(number)];
  }
  const int flags = ::fcntl(number, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

void put_inherited_state_right() {
  open_standard_descriptors();
  note_descriptors();
  ::syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
  reset_signals();
  const mode_t mask = ::umask(022);
  ::umask(mask & 077);
  raise_limit(RLIMIT_NOFILE, k_usual_files);
  raise_limit(RLIMIT_STACK, k_usual_stack);
  set_stack_of_threads();
}

int run_with_enough_stack(const std::function<int()>& body) {
  rlimit limit;
  if (::getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur >= k_least_stack) return body();
  void* const stack = ::mmap(nullptr, k_usual_stack, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  ucontext_t here, there;
  if (stack == MAP_FAILED || ::getcontext(&there) < 0) return body();
  there.uc_stack.ss_sp = stack;
  there.uc_stack.ss_size = k_usual_stack;
  there.uc_link = &here;
  Call call{&body, 0};
  const auto address = reinterpret_cast<std::uintptr_t>(&call);
  ::makecontext(&there, reinterpret_cast<void (*)()>(enter), 2, static_cast<unsigned>(address >> 32),
                static_cast<unsigned>(address));
  ::swapcontext(&here, &there);
  return call.result;
}

}  // namespace mbuild
