#include "executor/steps/step_targets.h"

#include <fmt/format.h>

#include "executor/api/secrets.h"
#include "executor/steps/run_tasks.h"

namespace mbuild::executor {

std::optional<std::string> StepTargets::secret(graph::NodeId id, const std::string& secret) const {
  for (const auto& info : graph_.info[id]) {
    if (auto value = read_secret(by_number_.at(info.target).request, secret)) return value;
  }
  return std::nullopt;
}

std::string StepTargets::agent(graph::NodeId id, const std::string& agent) const {
  for (const auto& info : graph_.info[id]) {
    const auto& request = by_number_.at(info.target).request;
    if (!executor::agent_socket(request, agent).empty()) return fmt::format("{} {}", info.target, agent);
  }
  return "";
}

std::string StepTargets::agent_socket(const std::string& name) const {
  const auto space = name.find(' ');
  const auto number = static_cast<std::uint32_t>(std::stoul(name.substr(0, space)));
  return executor::agent_socket(by_number_.at(number).request, name.substr(space + 1));
}

}  // namespace mbuild::executor
