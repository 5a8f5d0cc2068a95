#include "executor/definitions.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "executor/repair.h"

namespace mbuild::executor {
namespace {

constexpr std::string_view k_target = "target:";

// What is meant by an id.
using Lent = std::map<std::pair<graph::MountKind, std::string>, std::string>;

Lent lent_by(const TargetRequest& request) {
  Lent out;
  for (const auto& secret : request.secrets) {
    out.try_emplace({graph::MountKind::secret, secret.id}, secret.value ? "value " + *secret.value : secret.file);
  }
  for (const auto& agent : request.ssh) {
    out.insert_or_assign({graph::MountKind::ssh, agent.id}, join(agent.paths, "\n"));
  }
  return out;
}

// The ids by which targets mean different things. One that has nothing by an id means nothing by it.
OwnIds ids_of_several(std::span<const TargetRequest> targets) {
  Lent first;
  OwnIds out;
  for (const auto& target : targets) {
    for (const auto& [id, meant] : lent_by(target)) {
      if (first.try_emplace(id, meant).first->second != meant) out.insert(id);
    }
  }
  return out;
}

// Those of them that the target has.
OwnIds own_ids(const TargetRequest& target, const OwnIds& of_several) {
  OwnIds out;
  for (const auto& [id, meant] : lent_by(target)) {
    if (of_several.contains(id)) out.insert(id);
  }
  return out;
}

std::optional<std::uint32_t> find_target(std::span<const TargetRequest> targets, std::string_view name) {
  for (std::uint32_t i = 0; i < targets.size(); ++i) {
    if (targets[i].name == name) return i;
  }
  return std::nullopt;
}

void check_names(std::span<const TargetRequest> targets) {
  std::set<std::string> names;
  for (const auto& target : targets) {
    if (targets.size() > 1 && (target.name.empty() || !names.insert(target.name).second))
      throw Error(ExitClass::usage, fmt::format("two targets have the name \"{}\"", target.name))
          .with_advice("Targets that are built together need names of their own.");
  }
}

// Targets after those that their contexts name.
class Order {
 public:
  explicit Order(std::span<const TargetRequest> targets) : targets_(targets), states_(targets.size()) {
    for (std::uint32_t i = 0; i < targets.size(); ++i) visit(i);
  }
  std::vector<std::uint32_t> numbers;

 private:
  enum class State { fresh, open, done };

  void visit(std::uint32_t number) {
    if (states_[number] == State::done) return;
    if (states_[number] == State::open)
      throw Error(ExitClass::usage,
                  fmt::format("the target {} needs itself, by way of its contexts", targets_[number].name));
    states_[number] = State::open;
    for (const auto& [name, value] : targets_[number].contexts) {
      if (!value.starts_with(k_target)) continue;
      if (const auto needed = find_target(targets_, value.substr(k_target.size()))) visit(*needed);
    }
    states_[number] = State::done;
    numbers.push_back(number);
  }

  std::span<const TargetRequest> targets_;
  std::vector<State> states_;
};

void add_roots(std::vector<graph::Ref>& roots, const Definition& target) {
  for (const auto& image : target.lowered.images) {
    if (image.root) roots.push_back(*image.root);
  }
}

}  // namespace

Definitions::Definitions(BuildSession& session)
    : targets(session.targets.size()), session_(session), own_ids_(ids_of_several(session.targets)) {
  check_names(session.targets);
  for (const auto number : Order(session.targets).numbers) {
    try {
      read(number);
    } catch (const Error& error) {
      if (!session.request.keep_going) throw;
      session.results[number].error = error;
      if (!failure) failure = std::current_exception();
    }
  }
  std::vector<graph::Ref> roots;
  for (const auto& target : targets) {
    if (target) add_roots(roots, *target);
  }
  auto& store = session.place.store;
  plan = with_repairs(store, session.warn("DamagedStore"), [&] {
    return planner::make_plan(graph, roots, [&](const Digest& key) { return store.expected_duration_ms(key); });
  });
  if (targets.size() == 1) return;
  for (const auto& target : targets) {
    std::vector<graph::Ref> own;
    if (target) add_roots(own, *target);
    plans_.push_back(planner::make_plan(graph, own));
  }
}

void Definitions::read(std::uint32_t number) {
  const Neighbours neighbours{.graph = graph,
                              .own_ids = own_ids(session_.targets[number], own_ids_),
                              .linked = [this](const std::string& target, const platforms::Platform& platform)
                                  -> const frontend::LoweredImage& { return image_of(target, platform); }};
  targets[number] = std::make_unique<Definition>(session_, number, neighbours);
  graph = std::exchange(targets[number]->lowered.graph, {});
}

const frontend::LoweredImage& Definitions::image_of(const std::string& name,
                                                    const platforms::Platform& platform) const {
  const auto number = find_target(session_.targets, name);
  if (!number) throw Error(ExitClass::usage, fmt::format("there is no target {} among those that are built", name));
  const auto& target = targets[*number];
  if (!target) throw Error(ExitClass::usage, fmt::format("the target {}, which is a context here, failed", name));
  const auto& images = target->lowered.images;
  for (const auto& image : images) {
    if (image.platform == platform) return image;
  }
  if (images.size() == 1 && target->request.platforms.empty()) return images.front();
  throw Error(ExitClass::usage, fmt::format("the target {} is not built for {}", name, platforms::to_string(platform)))
      .with_advice(fmt::format("Add it to the platforms of {}.", name));
}

const planner::Plan& Definitions::plan_of(const Definition& target) const {
  return plans_.empty() ? plan : plans_[target.number];
}

}  // namespace mbuild::executor
