#include "base/crash_point.h"

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <string>

#include "base/host_variable.h"

namespace mbuild {
namespace {

struct Plan {
  std::string name;
  int count = 1;
};

Plan plan_of_environment() {
  const auto text = host_variable("MBUILD_TEST_CRASH_AT");
  if (!text) return {};
  Plan plan{*text, 1};
  if (const auto colon = plan.name.rfind(':'); colon != std::string::npos) {
    std::from_chars(plan.name.data() + colon + 1, plan.name.data() + plan.name.size(), plan.count);
    plan.name.resize(colon);
  }
  return plan;
}

}  // namespace

void crash_point(std::string_view name) {
  static const Plan plan = plan_of_environment();
  if (plan.name.empty() || plan.name != name) return;
  static std::atomic<int> passed = 0;
  if (++passed == plan.count) ::kill(::getpid(), SIGKILL);
}

}  // namespace mbuild
