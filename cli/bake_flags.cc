#include "cli/bake_flags.h"

#include <fmt/format.h>

#include "bake/entries.h"
#include "base/bool_word.h"
#include "base/error.h"
#include "base/strings.h"
#include "cli/config/store_root.h"

namespace mbuild::cli {
namespace {

std::string bool_text(bool value) { return value ? "true" : "false"; }

// --sbom and --provenance: a word for true or false, or the attributes. "" is as a flag that is not there.
void add_attestations(const std::string& type, const std::vector<std::string>& values,
                      std::vector<std::string>& texts) {
  for (const auto& value : values) {
    if (value.empty()) continue;
    const auto enabled = bool_word(value);
    texts.push_back(fmt::format("*.attest=type={},{}", type, enabled ? "disabled=" + bool_text(!*enabled) : value));
  }
}

// Disables policies, where it does nothing else.
bool disables_policies(const std::string& value) {
  bool disabled = false;
  const auto fields = split_csv(value);
  for (const auto& field : fields) {
    const auto key = to_lower(trim(field.substr(0, field.find('='))));
    if (key == "filename" || key == "reset")
      throw usage_error(fmt::format("--policy does not accept {}", key)).with_advice("The definition names policies.");
    if (key == "disabled") disabled = bool_word(field.substr(field.find('=') + 1)).value_or(false);
  }
  if (disabled && fields.size() > 1) throw usage_error("disabled policy cannot be combined with other policy flags");
  return disabled;
}

void add_policies(const std::vector<std::string>& values, std::vector<std::string>& texts) {
  for (const auto& value : values) {
    const bool disabled = disables_policies(value);
    if (disabled && values.size() > 1) throw usage_error("disabled policy cannot be combined with other policy flags");
    texts.push_back(fmt::format("*.policy{}={}", disabled ? "" : "+", value));
  }
}

}  // namespace

Call asked_call(const BakeFlags& flags) {
  if (flags.check) return parse_call("check");
  return flags.call.empty() ? Call() : parse_call(flags.call);
}

std::vector<std::string> override_texts(const BakeFlags& flags) {
  auto texts = flags.set;
  if (flags.push) texts.emplace_back("*.push=true");
  if (flags.load) texts.emplace_back("*.load=true");
  if (flags.check || !flags.call.empty()) {
    const auto name = asked_call(flags).name;
    if (name != "build") texts.push_back("*.call=" + (name == "check" ? "lint" : name));
  }
  if (flags.no_cache) texts.push_back("*.no-cache=" + bool_text(*flags.no_cache));
  if (flags.pull) texts.push_back("*.pull=" + bool_text(*flags.pull));
  add_attestations("sbom", flags.sbom, texts);
  add_attestations("provenance", flags.provenance, texts);
  add_policies(flags.policy, texts);
  return texts;
}

std::map<std::string, std::string> given_variables(const BakeFlags& flags) {
  std::map<std::string, std::string> variables;
  for (const auto& text : flags.var) {
    const auto equals = text.find('=');
    if (equals == std::string::npos)
      throw usage_error(fmt::format("invalid variable \"{}\", expected key=value", text))
          .with_advice("--var NAME=VALUE gives a variable of the definition its value.");
    if (equals == 0) throw usage_error(fmt::format("invalid variable \"{}\": key is empty", text));
    variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return variables;
}

void add_bake_flags(Command& bake, BakeFlags& flags) {
  bake.examples({{"mbuild bake", "Build the default group of the definition that is here."},
                 {"mbuild bake -f FILE --set '*.platform=linux/arm64' app", "Build one target, for another platform."},
                 {"mbuild bake --print", "Show what would be built."}});
  bake.values("targets=TARGET", flags.targets,
              "Targets and groups to build, or patterns of them (default: the group default)");

  bake.group("Most used");
  bake.values("-f,--file=FILE", flags.file, "Definition, - for standard input (default: those that are there)");
  bake.values("--set=T.KEY=VALUE", flags.set, "Change attributes of targets; += appends");
  bake.values("--var=NAME=VALUE", flags.var, "Give a variable its value");
  bake.flag("--print", flags.print, "Show what would be built as JSON");
  bake.value("--list=WHAT", flags.list, "Show targets or variables (type=targets,format=json)");
  bake.unused_flag("--list-targets", [&flags] { flags.list = "targets"; });
  bake.unused_flag("--list-variables", [&flags] { flags.list = "variables"; });
  bake.flag("--push", flags.push, "Push images (same as --set=*.push=true)");
  bake.flag("--load", flags.load, "Hand images to Docker or Podman (same as --set=*.load=true)");
  bake.flag("--no-cache", flags.no_cache, "Run every step");
  bake.flag("--pull", flags.pull, "Look up every base image anew");

  bake.group("How targets are built");
  bake.flag("--keep-going", flags.keep_going, "A target that fails spares those that do not need it");
  bake.number("-j,--jobs=N", flags.jobs, "Steps at once (default: 4 a core, at least 32)");
  bake.values("--allow=WHAT", flags.allow,
              "Grant what a definition needs (fs=PATH, fs.read=PATH, network.host, ssh, ...)");
  bake.flag("--allow-less-isolation", flags.allow_less_isolation,
            "Run steps where this host refuses them a /proc or a user namespace of their own");
  add_root_option(bake, flags.root);
  bake.values("--policy", flags.policy, "Change policies (disabled=true)", Presence::hidden);
  bake.values("--provenance", flags.provenance, "Accepted; attestations are not made", Presence::hidden);
  bake.values("--sbom", flags.sbom, "Accepted; attestations are not made", Presence::hidden);

  bake.group("What is told");
  bake.value("--progress=MODE", flags.progress,
             "auto, plain, tty, quiet, none or rawjson (default: $BUILDKIT_PROGRESS, else auto)");
  bake.value("--report=FILE", flags.report, "Write a page (HTML) with all steps, their logs, layers and times");
  bake.value("--profile=FILE", flags.profile, "Write the times of all steps as a Chrome trace");
  bake.flag("--explain", flags.explain, "Say for each step that ran why it did");
  bake.value("--metadata-file=FILE", flags.metadata_file, "Write the results' digests as JSON, by target");
  bake.flag("--check", flags.check, "Same as --call=check");
  bake.value("--call=WHAT", flags.call, "What to do: build, check, outline, targets; [,format=json]");
}

}  // namespace mbuild::cli
