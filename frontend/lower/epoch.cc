#include <fmt/format.h>

#include <charconv>

#include "base/clock.h"
#include "base/strings.h"
#include "frontend/lower/state.h"
#include "graph/git_ref.h"

// SOURCE_DATE_EPOCH: a number of seconds, or the name of something that has a time: "context", a named context, or a
// stage FROM scratch with one remote ADD. A local directory has none, and leaves it unset.
namespace mbuild::frontend::lowering {
namespace {

constexpr const char* k_name = "SOURCE_DATE_EPOCH";

std::optional<std::int64_t> parse_number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

// The source that an address stands for; none for a local path.
std::optional<graph::SourceOp> remote_source(std::string_view address) {
  if (const auto git = parse_git_ref(address)) return git_source(*git);
  if (graph::is_http_address(address)) {
    return graph::HttpSource{.url = std::string(address), .checksum = {}, .filename = "context"};
  }
  return std::nullopt;
}

void set_checksum(graph::SourceOp& source, const std::string& checksum) {
  if (auto* http = std::get_if<graph::HttpSource>(&source)) http->checksum = checksum;
  if (auto* git = std::get_if<graph::GitSource>(&source)) git->checksum = checksum;
}

Error not_one_add() { return usage_error("SOURCE_DATE_EPOCH stage must contain exactly one remote ADD"); }

void set_stage_args(const Lowering& lowering, const dockerfile::ArgInstruction& arg, Variables& variables) {
  const char escape = lowering.shared.request.dockerfile.escape;
  for (const auto& [name, value] : arg.args) {
    const auto given = lowering.build_args.find(name);
    if (given != lowering.build_args.end()) {
      variables.set(name, given->second);
    } else if (value) {
      variables.set(name, dockerfile::expand(*value, lookup_in(variables), {.escape = escape}).text);
    }
  }
}

graph::SourceOp added_source(const Lowering& lowering, const dockerfile::CopyInstruction& add,
                             const Variables& variables) {
  const auto expand = [&](const std::string& word) {
    return dockerfile::expand(word, lookup_in(variables), {.escape = lowering.shared.request.dockerfile.escape}).text;
  };
  if (add.sources.size() != 1 || add.sources.front().heredoc) throw not_one_add();
  auto source = remote_source(expand(add.sources.front().path));
  if (!source) throw usage_error("SOURCE_DATE_EPOCH stage source must be a single HTTP(S) or Git ADD");
  if (!add.checksum.empty()) set_checksum(*source, expand(add.checksum));
  return *std::move(source);
}

// The one remote ADD of a stage FROM scratch that holds nothing but that and ARGs.
graph::SourceOp stage_source(const Lowering& lowering, const dockerfile::Stage& stage) {
  const auto& from = std::get<dockerfile::FromInstruction>(stage.from.body);
  Variables variables = lowering.global_args;
  variables.erase(k_name);
  const char escape = lowering.shared.request.dockerfile.escape;
  if (dockerfile::expand(from.base, lookup_in(variables), {.escape = escape}).text != "scratch") {
    throw usage_error("SOURCE_DATE_EPOCH stage must use FROM scratch");
  }
  std::optional<graph::SourceOp> source;
  for (const dockerfile::Instruction& instruction : stage.instructions) {
    if (const auto* arg = std::get_if<dockerfile::ArgInstruction>(&instruction.body)) {
      set_stage_args(lowering, *arg, variables);
      continue;
    }
    const auto* add = std::get_if<dockerfile::CopyInstruction>(&instruction.body);
    if (add == nullptr || !add->add) {
      throw usage_error("SOURCE_DATE_EPOCH stage does not meet source-only requirements: unsupported " +
                        instruction.keyword + " instruction");
    }
    if (source) throw not_one_add();
    source = added_source(lowering, *add, variables);
  }
  if (!source) throw not_one_add();
  return *std::move(source);
}

std::optional<std::int64_t> time_of(const Request& request, const graph::SourceOp& source) {
  return request.source_time ? request.source_time(source) : std::nullopt;
}

// The time of what the value names; none for a local directory. Throws Error when it names nothing.
std::optional<std::int64_t> named_time(const Lowering& lowering, const std::string& value) {
  const Request& request = lowering.shared.request;
  if (value == "context") return request.context_time;
  if (const NamedContext* context = find_context(lowering.shared, value, lowering.target_platform)) {
    const auto source = remote_source(context->value);
    return source ? time_of(request, *source) : std::nullopt;
  }
  for (const dockerfile::Stage& stage : request.dockerfile.stages) {
    const auto& name = std::get<dockerfile::FromInstruction>(stage.from.body).name;
    if (name.empty() || !iequals(name, value)) continue;
    try {
      return time_of(request, stage_source(lowering, stage));
    } catch (Error& error) {
      throw with_place(lowering, std::move(error), stage.from.range);
    }
  }
  throw usage_error("invalid SOURCE_DATE_EPOCH: " + value)
      .with_advice("give seconds since 1970-01-01, for example SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)");
}

// What the name stands for from now on, where it was given; an empty text leaves it unset.
void set_everywhere(Lowering& lowering, const std::string& text) {
  if (lowering.build_args.contains(k_name)) {
    if (text.empty()) {
      lowering.build_args.erase(k_name);
    } else {
      lowering.build_args[k_name] = text;
    }
  }
  if (lowering.global_args.find(k_name) == nullptr) return;
  if (text.empty()) {
    lowering.global_args.erase(k_name);
  } else {
    lowering.global_args.set(k_name, text);
  }
}

}  // namespace

void resolve_epoch(Lowering& lowering) {
  const auto given = lowering.build_args.find(k_name);
  const std::string* global = lowering.global_args.find(k_name);
  const bool is_given = given != lowering.build_args.end();
  const std::string value = is_given ? given->second : global != nullptr ? *global : "";
  if (!value.empty()) lowering.epoch = parse_number(value);
  if (!value.empty() && !lowering.epoch) lowering.epoch = named_time(lowering, value);
  set_everywhere(lowering, lowering.epoch ? fmt::format("{}", *lowering.epoch) : "");
}

std::string created_text(std::int64_t seconds) {
  if (!has_rfc3339(seconds)) throw usage_error(fmt::format("invalid SOURCE_DATE_EPOCH: {}", seconds));
  return rfc3339(seconds);
}

}  // namespace mbuild::frontend::lowering
