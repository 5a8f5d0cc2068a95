#include "base/strings.h"
#include "frontend/lower/lint.h"
#include "frontend/lower/outline.h"
#include "frontend/lower/state.h"

// Variables: the predefined arguments, global ARGs, ARG in a stage, and expansion of an instruction's words.
namespace mbuild::frontend::lowering {
namespace {

// Read by the builder itself, never part of a stage's variables.
bool is_builder_only(std::string_view name) {
  return name == "BUILDKIT_SBOM_SCAN_CONTEXT" || name == "BUILDKIT_SBOM_SCAN_STAGE";
}

std::string target_stage_name(const Request& request) {
  std::string name = request.target;
  if (name.empty() && !request.dockerfile.stages.empty()) {
    name = std::get<dockerfile::FromInstruction>(request.dockerfile.stages.back().from.body).name;
  }
  return name.empty() ? "default" : to_lower(name);
}

Variables platform_args(const Lowering& lowering) {
  const Request& request = lowering.shared.request;
  const platforms::Platform& target = lowering.target_platform;
  const platforms::Platform& build = request.build_platform;
  platforms::Platform build_without_version = build;
  build_without_version.os_version.clear();
  const std::pair<const char*, std::string> values[] = {{"BUILDPLATFORM", platforms::to_string(build_without_version)},
                                                        {"BUILDOS", build.os},
                                                        {"BUILDOSVERSION", build.os_version},
                                                        {"BUILDARCH", build.arch},
                                                        {"BUILDVARIANT", build.variant},
                                                        {"TARGETPLATFORM", platforms::to_string(target)},
                                                        {"TARGETOS", target.os},
                                                        {"TARGETOSVERSION", target.os_version},
                                                        {"TARGETARCH", target.arch},
                                                        {"TARGETVARIANT", target.variant},
                                                        {"TARGETSTAGE", target_stage_name(request)}};
  Variables args;
  for (const auto& [name, value] : values) {
    const auto given = request.build_args.find(name);
    args.set(name, given == request.build_args.end() ? value : given->second);
  }
  return args;
}

void add_global_args(const Lowering& lowering, const std::map<std::string, std::string>& build_args,
                     Variables& variables) {
  const dockerfile::Dockerfile& file = lowering.shared.request.dockerfile;
  for (const dockerfile::Instruction& instruction : file.global_args) {
    for (const auto& [name, value] : std::get<dockerfile::ArgInstruction>(instruction.body).args) {
      if (const auto given = build_args.find(name); given != build_args.end()) {
        variables.set(name, given->second);
      } else if (value) {
        try {
          variables.set(name, dockerfile::expand(*value, lookup_in(variables), {.escape = file.escape}).text);
        } catch (Error& error) {
          throw with_place(lowering, std::move(error), instruction.range);
        }
      }
    }
  }
}

// HTTP_PROXY and its kin among the build arguments reach RUN in both spellings, declared or not.
std::vector<std::pair<std::string, std::string>> proxies_of(const std::map<std::string, std::string>& build_args) {
  std::vector<std::pair<std::string, std::string>> proxies;
  for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"}) {
    const std::string* value = nullptr;
    for (const auto& [key, given] : build_args) {
      if (iequals(key, name)) value = &given;
    }
    if (value == nullptr || value->empty()) continue;
    proxies.emplace_back(name, *value);
    proxies.emplace_back(to_lower(name), *value);
  }
  return proxies;
}

// What an ARG line gives one name: a build argument, else its own default, else the global value.
std::optional<std::string> argument_value(Lowering& lowering, const Stage& stage, const Step& step,
                                          const dockerfile::KeyValue& arg) {
  if (const auto given = lowering.build_args.find(arg.key); given != lowering.build_args.end()) return given->second;
  if (arg.value) return expand_word(lowering, stage, step, *arg.value);
  if (const std::string* global = lowering.global_args.find(arg.key)) return *global;
  return std::nullopt;
}

}  // namespace

const std::string* Variables::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &values_[found->second].second;
}

void Variables::set(std::string_view name, std::string value) {
  const auto found = index_.find(name);
  if (found != index_.end()) {
    values_[found->second].second = std::move(value);
    return;
  }
  index_.emplace(name, values_.size());
  values_.emplace_back(name, std::move(value));
}

void Variables::erase(std::string_view name) {
  std::erase_if(values_, [&](const auto& value) { return value.first == name; });
  index_.clear();
  for (std::size_t i = 0; i < values_.size(); ++i) index_.emplace(values_[i].first, i);
}

std::vector<std::string> Variables::names() const {
  std::vector<std::string> names;
  names.reserve(values_.size());
  for (const auto& [name, value] : values_) names.push_back(name);
  return names;
}

std::vector<std::string> Variables::entries() const {
  std::vector<std::string> entries;
  entries.reserve(values_.size());
  for (const auto& [name, value] : values_) entries.push_back(name + "=" + value);
  return entries;
}

std::pair<std::string_view, std::string_view> split_variable(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {text, {}};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

dockerfile::Lookup lookup_in(const Variables& variables) {
  return [&variables](std::string_view name) -> std::optional<std::string> {
    const std::string* value = variables.find(name);
    if (value == nullptr) return std::nullopt;
    return *value;
  };
}

void make_global_args(Lowering& lowering) {
  lowering.build_args = lowering.shared.request.build_args;
  lowering.proxies = proxies_of(lowering.build_args);
  lowering.global_args = platform_args(lowering);
  check_default_arg_in_from(lowering);
  add_global_args(lowering, lowering.build_args, lowering.global_args);
}

Variables default_global_args(const Lowering& lowering) {
  Variables variables = platform_args(lowering);
  add_global_args(lowering, {}, variables);
  return variables;
}

std::string expand_word(Lowering& lowering, const Stage& stage, const Step& step, std::string_view word) {
  const char escape = lowering.shared.request.dockerfile.escape;
  if (is_plain(word, escape)) return std::string(word);
  dockerfile::Expansion expansion = dockerfile::expand(word, lookup_in(stage.state.env), {.escape = escape});
  check_undefined_variables(lowering, stage, step, expansion.undefined);
  return std::move(expansion.text);
}

std::string expand_body(Lowering& lowering, const Stage& stage, const Step& step, std::string_view body) {
  dockerfile::Expansion expansion =
      dockerfile::expand(body, lookup_in(stage.state.env), {.escape = '\\', .raw_quotes = true});
  check_undefined_variables(lowering, stage, step, expansion.undefined);
  return std::move(expansion.text);
}

void lower_arg(Lowering& lowering, Stage& stage, const Step& step, const dockerfile::ArgInstruction& arg) {
  State& state = stage.state;
  std::string history = "ARG";
  for (const dockerfile::KeyValue& item : arg.args) {
    check_secret_name(lowering, stage, step, "ARG", item.key);
    const std::optional<std::string> value = argument_value(lowering, stage, step, item);
    if (value && !is_builder_only(item.key)) {
      if (state.image_env.find(item.key) != nullptr) state.overridden.push_back(item.key);
      state.env.set(item.key, *value);
    }
    const bool inherited = !item.value && value && !lowering.build_args.contains(item.key);
    note_argument(lowering, stage, step, item.key, value.value_or(""), inherited);
    state.arguments.set(item.key, value.value_or(""));
    history += " " + item.key;
    if (value) history += "=" + *value;
  }
  append_history(lowering, stage, std::move(history), true);
}

}  // namespace mbuild::frontend::lowering
