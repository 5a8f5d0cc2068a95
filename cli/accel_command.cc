#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/scratch_directory.h"
#include "base/size_text.h"
#include "base/strings.h"
#include "cli/build_flags.h"
#include "cli/cancel.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/display/columns.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "cli/registry_client.h"
#include "cli/session.h"
#include "cli/told_build.h"
#include "executor/api/compiler_pack.h"
#include "executor/api/compiler_pack_script.h"
#include "executor/api/option_values.h"
#include "executor/build.h"
#include "executor/collect.h"
#include "executor/outputs/kept_images.h"
#include "executor/outputs/stored_images.h"
#include "executor/steps/compiler_packs.h"
#include "image/image_place.h"
#include "oci/reference.h"

// Compiler packs of the store are images whose name begins with k_stored_pack.
namespace mbuild::cli {
namespace {

using nlohmann::ordered_json;

struct AccelFlags {
  std::string root, image, platform = "linux/arm64", origin = "auto", progress, network = "default", format = "table";
  std::vector<std::string> output, push, build_context, names;
  bool quiet = false;
};

std::string pack_name(const std::string& tag) { return fmt::format("{}:{}", executor::k_stored_pack, tag); }

std::string pack_tag_of(const cache::StoredImage& kept) { return frontend::parse_reference(kept.name).tag; }

bool is_pack(const cache::StoredImage& kept) {
  return kept.name.starts_with(std::string(executor::k_stored_pack) + ":");
}

// What a build makes by itself.
bool is_own_pack(const cache::StoreItem& item) {
  return item.kind == cache::StoreItem::Kind::layer && item.description == executor::k_made_pack;
}

// ---- build-pack

std::string temporary_parent() {
  const auto place = environment_variable("TMPDIR");
  return place.empty() ? "/var/tmp" : place;
}

// As contexts of a build name images.
std::string as_context(const std::string& image) {
  if (image::is_layout_reference(image)) return fmt::format("oci-layout://{}", image::without_layout_word(image));
  if (path_exists(image + "/index.json")) return "oci-layout://" + image;
  return "docker-image://" + image;
}

executor::BuildRequest pack_request(const AccelFlags& flags, const std::string& context) {
  executor::BuildRequest request;
  static_cast<executor::SessionRequest&>(request) = session_request(flags.root, false);
  const auto platforms = platforms::parse_platform_list(flags.platform);
  if (platforms.size() != 1) throw usage_error("a pack is for one platform: " + flags.platform);
  request.context = context;
  request.dockerfile_text = executor::pack_dockerfile(platforms.front(), executor::parse_pack_origin(flags.origin));
  request.platforms = {platforms::host_platform()};
  for (const auto& text : flags.build_context) request.contexts.push_back(executor::parse_pair(text, "context value"));
  request.contexts.emplace_back("base", as_context(flags.image));
  request.network = executor::parse_network(flags.network);
  if (request.network == graph::NetworkMode::host) request.allow.push_back("network.host");
  request.arch_check = "off";
  return request;
}

int build_and_tell(executor::BuildRequest& request, ProgressMode mode, const CancelOnSignal& cancel) {
  executor::BuildResult result;
  auto record = record_request(request, "", "");
  record.bounds.entries = 0;
  return run_and_tell({.mode = mode,
                       .explain = false,
                       .summary = false,
                       .record = std::move(record),
                       .build = [&](auto& sink) { executor::run_build(request, sink, cancel.token(), result); },
                       .targets = [&] { return std::vector<TargetResult>{{request, result}}; }});
}

// REF with the tag by which builds find the pack and, where it has one, with its own.
std::vector<std::string> pushed_names(const std::string& text, const std::string& tag) {
  auto reference = frontend::parse_reference(text);
  if (!reference.digest.empty()) throw usage_error(fmt::format("what is pushed has no digest in its name: {}", text));
  std::vector<std::string> names;
  if (!reference.tag.empty() && reference.tag != tag) names.push_back(frontend::to_string(reference));
  reference.tag = tag;
  names.push_back(frontend::to_string(reference));
  return names;
}

std::vector<executor::Output> outputs_of(const AccelFlags& flags, const std::string& tag) {
  std::vector<executor::Output> outputs;
  for (const auto& text : flags.output) {
    outputs.push_back(parse_output(text));
    if (!executor::is_image_type(outputs.back().type) || outputs.back().type == executor::OutputType::docker) {
      throw usage_error(fmt::format("a compiler pack is no output of type {}", to_string(outputs.back().type)))
          .with_advice("-o type=oci,dest=FILE writes one.");
    }
  }
  const auto add = [&](executor::OutputType type, std::vector<std::string> names) {
    outputs.push_back(executor::default_output(type));
    outputs.back().image.names = std::move(names);
    outputs.back().image.compression = image::Compression::zstd;
  };
  for (const auto& text : flags.push) add(executor::OutputType::registry, pushed_names(text, tag));
  if (outputs.empty()) add(executor::OutputType::image, {pack_name(tag)});
  return outputs;
}

// What the flags say is wrong is said before the compilers are fetched.
void check_pack_outputs(const AccelFlags& flags) { outputs_of(flags, "tag"); }

std::string packages_text(const std::vector<std::pair<std::string, std::string>>& packages) {
  std::string out;
  for (const auto& [name, version] : packages) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, version);
  return out;
}

// What takes long is said before it begins.
void tell_plan(const executor::PackPlan& plan) {
  if (plan.origin != executor::PackOrigin::source) return;
  const auto cross = plan.cross.empty() ? "there is no cross compiler in packages"
                                        : fmt::format("the cross compiler in packages is {}", plan.cross);
  say("{0} is {1}, and {2}. So it is compiled from the package {0}-source, which takes 15 to 60 minutes of a"
      " processor's time and 3 GB of disk space on the way.\n",
      clean_line(plan.compiler), clean_line(plan.own), clean_line(cross));
}

// Three builds: where the compilers come from is known when the first has asked; what the pack is called, and what its
// manifest says, when the second has made it.
int build_pack(const AccelFlags& flags) {
  check_pack_outputs(flags);
  const ScratchDirectory place(temporary_parent(), "mbuild-pack");
  const std::string context = place.path() + "/context", facts_directory = place.path() + "/facts";
  make_directories(context);
  auto request = pack_request(flags, context);
  CancelOnSignal cancel;
  const auto mode = progress_mode(flags.progress, flags.quiet);
  const auto build = [&](const char* target, const char* step) {
    request.target = target;
    request.no_cache_filter = {step};
    request.outputs = {executor::parse_output({{"type", "local"}, {"dest", facts_directory}})};
    return build_and_tell(request, mode, cancel);
  };
  if (const int status = build("plan", "planned")) return status;
  if (!flags.quiet) tell_plan(executor::parse_pack_plan(read_file(facts_directory + "/plan")));
  if (const int status = build("facts", "made")) return status;

  const auto facts = executor::parse_pack_facts(read_file(facts_directory + "/facts"));
  const auto platform = platforms::parse_platform_list(facts.platform).front();
  const auto tag = executor::pack_tag(platforms::host_platform(), platform, facts.base);
  if (tag.empty()) {
    throw Error(ExitClass::usage, fmt::format("{} has no package {}, by which packs are found", flags.image,
                                              executor::k_pack_base_package));
  }
  request.target = "pack";
  request.no_cache_filter.clear();
  request.artifact_type = executor::k_pack_artifact_type;
  request.tags = {pack_name(tag)};
  for (const auto& [key, value] : executor::pack_annotations(facts)) {
    request.annotations.push_back({image::AnnotationPlace::manifest, std::nullopt, key, value});
  }
  request.outputs = outputs_of(flags, tag);
  if (const int status = build_and_tell(request, ProgressMode::quiet, cancel)) return status;
  if (!flags.quiet) say("Compilers for {}: {}\n", facts.platform, clean_line(packages_text(facts.packages)));
  print("{}\n", tag);
  return 0;
}

// ---- ls, rm

struct ListedPack {
  std::string name, platform, packages, digest;
  std::uint64_t bytes = 0;
  std::int64_t created = 0;
  bool kept = true;
};

ListedPack listed_pack(cache::Store& store, const cache::StoredImage& kept) {
  ListedPack out{.name = pack_tag_of(kept),
                 .platform = {},
                 .packages = {},
                 .digest = kept.digest,
                 .bytes = kept.bytes,
                 .created = kept.created};
  try {
    const auto place = executor::stored_place(store, kept);
    const auto manifest = image::parse_manifest(place.read(place.top));
    const auto word = [&](std::string_view key) {
      const auto found = manifest.annotations.find(std::string(key));
      return found == manifest.annotations.end() ? "" : found->second;
    };
    out.platform = clean_line(word(executor::k_pack_platform_annotation));
    out.packages = clean_line(join(split(word(executor::k_pack_packages_annotation), '\n'), ", "));
  } catch (const Error&) {
    out.packages = "damaged";
  }
  return out;
}

ListedPack listed_own_pack(const cache::Store& store, const cache::StoreItem& item) {
  ListedPack out{.name = item.id.substr(0, 12),
                 .platform = "linux/arm64",
                 .packages = {},
                 .digest = {},
                 .bytes = item.bytes,
                 .created = item.created,
                 .kept = false};
  try {
    const auto packages = executor::made_pack_facts(store, item.id).packages;
    out.packages = packages.empty() ? "none of the same source" : clean_line(packages_text(packages));
  } catch (const Error&) {
    out.packages = "damaged";
  }
  return out;
}

std::vector<ListedPack> packs_in(const std::string& root) {
  std::vector<ListedPack> packs;
  if (!cache::is_store(root)) return packs;
  const auto items = executor::measure_store(root).items;
  auto store = executor::open_store(root);
  for (const auto& kept : store.images()) {
    if (is_pack(kept)) packs.push_back(listed_pack(store, kept));
  }
  for (const auto& item : items) {
    if (is_own_pack(item)) packs.push_back(listed_own_pack(store, item));
  }
  return packs;
}

std::string pack_age(std::int64_t created) {
  const auto seconds = std::max<std::int64_t>(unix_seconds() - created, 0);
  if (seconds < 2 * 3600) return fmt::format("{} min", seconds / 60);
  if (seconds < 2 * 24 * 3600) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} days", seconds / (24 * 3600));
}

void print_packs(const std::vector<ListedPack>& packs) {
  std::size_t width = 4;
  for (const auto& pack : packs) width = std::max(width, pack.name.size());
  print("{:<{}}  {:<12}  {:>9}  {:>8}  {}\n", "NAME", width, "FOR", "SIZE", "AGE", "COMPILERS");
  for (const auto& pack : packs) {
    print("{:<{}}  {:<12}  {:>9}  {:>8}  {}\n", pack.name, width, pack.platform, size_text(pack.bytes),
          pack_age(pack.created), pack.kept ? pack.packages : pack.packages + " (made by a build)");
  }
}

int list_packs(const AccelFlags& flags) {
  if (flags.format != "table" && flags.format != "json") {
    throw usage_error(fmt::format("unknown format \"{}\"", flags.format)).with_advice("Formats are table and json.");
  }
  const auto packs = packs_in(store_root(flags.root));
  if (flags.format == "table") {
    print_packs(packs);
    return 0;
  }
  auto list = ordered_json::array();
  for (const auto& pack : packs) {
    list.push_back({{"name", pack.name},
                    {"platform", pack.platform},
                    {"compilers", pack.packages},
                    {"digest", pack.digest},
                    {"size", pack.bytes},
                    {"created", rfc3339(pack.created)},
                    {"kept", pack.kept}});
  }
  print("{}\n", json_text(list));
  return 0;
}

Error no_such_pack(const std::string& word) {
  return usage_error(fmt::format("the store has no compiler pack {}", clean_line(word)))
      .with_advice("`mbuild accel ls` lists those there are.");
}

// "" where it is none that is kept under a name.
std::string kept_tag(cache::Store& store, const std::string& word) {
  const auto images = store.images();
  const auto found = std::ranges::find_if(images, [&](const auto& one) {
    return is_pack(one) && (pack_tag_of(one) == word || (word.size() >= 12 && one.digest.starts_with(word)));
  });
  return found == images.end() ? "" : pack_tag_of(*found);
}

int remove_packs(const AccelFlags& flags) {
  const auto root = store_root(flags.root);
  for (const auto& word : flags.names) {
    std::string tag;
    {
      auto store = executor::open_store(root);
      tag = kept_tag(store, word);
      if (!tag.empty()) store.remove_image(pack_name(tag));
    }
    const bool is_id = tag.empty() && word.size() >= 12;
    const auto matches = [&](const auto& item) { return is_own_pack(item) && item.id.starts_with(word); };
    if (tag.empty() && (!is_id || executor::collect(root, {.matches = matches, .bounds = {}}).empty())) {
      throw no_such_pack(word);
    }
    print("Removed {}\n", tag.empty() ? word : tag);
  }
  return 0;
}

// ---- push, pull

int push_pack(const AccelFlags& flags) {
  if (flags.names.size() != 2) {
    throw usage_error("mbuild accel push takes two words: the pack, and the repository (HOST/NAME)");
  }
  CancelOnSignal cancel;
  RegistryClient client;
  auto store = executor::open_store(store_root(flags.root));
  const auto tag = kept_tag(store, flags.names[0]);
  const auto kept = tag.empty() ? std::nullopt : store.find_image(pack_name(tag));
  if (!kept) throw no_such_pack(flags.names[0]);
  const auto place = executor::stored_place(store, *kept);
  std::vector<std::string> names;
  if (executor::is_pack_directory(flags.names[1])) {
    const bool is_reference = image::is_layout_reference(flags.names[1]);
    names.push_back(fmt::format("{}{}:{}", is_reference ? "" : "oci-layout://", flags.names[1], tag));
  } else {
    names = pushed_names(flags.names[1], tag);
  }
  for (const auto& name : names) {
    const auto target = image::parse_image_target(name);
    if (!flags.quiet) say("Pushing {}\n", target.name);
    image::copy_content(place, place.top, target, client.get(), cancel.token());
    image::put_top(place.top, place.read(place.top), target, client.get(), cancel.token());
    print("{}@{}\n", target.name, kept->digest);
  }
  return 0;
}

// The tag that builds look for: that of the place, which has it from who made it.
std::string tag_of_place(const image::ImagePlace& place) {
  const auto not_one = [&](std::string_view why) {
    return usage_error(fmt::format("{} is no compiler pack: {}", place.name, why))
        .with_advice("`mbuild accel build-pack IMAGE` makes one.");
  };
  if (!image::is_manifest_type(place.top.media_type)) throw not_one("it is an index");
  const auto manifest = image::parse_manifest(place.read(place.top));
  if (manifest.artifact_type != executor::k_pack_artifact_type) throw not_one("its artifact type is another");
  const auto tag = manifest.annotations.find(std::string(executor::k_pack_tag_annotation));
  if (tag == manifest.annotations.end()) throw not_one("it has no tag");
  frontend::parse_reference(pack_name(tag->second));
  return tag->second;
}

int pull_packs(const AccelFlags& flags) {
  CancelOnSignal cancel;
  RegistryClient client;
  auto store = executor::open_store(store_root(flags.root));
  for (const auto& word : flags.names) {
    const bool is_path = image::is_layout_reference(word) || path_exists(word);
    if (!is_path && frontend::parse_reference(word).tag.empty() && frontend::parse_reference(word).digest.empty()) {
      throw usage_error(fmt::format("which pack of {} is meant is not said", word))
          .with_advice("Tags are as `mbuild accel ls` has them where the pack was made: HOST/NAME:TAG.");
    }
    if (!flags.quiet) say("Pulling {}\n", word);
    const auto place = image::find_image_place(word, client.get(), cancel.token());
    const auto tag = tag_of_place(place);
    executor::keep_image(place, {pack_name(tag)}, std::nullopt, client.get(), store, cancel.token());
    print("{}\n", tag);
  }
  return 0;
}

}  // namespace

void add_accel_command(Command& top) {
  const auto flags = std::make_shared<AccelFlags>();
  Command accel = top.add("accel", "Work on compiler packs: native compilers for emulated steps");
  accel.require_subcommand();
  add_store_command(accel, flags, "build-pack", "Make the compiler pack for a base image, of its own package sources",
                    build_pack)
      .value("image=IMAGE", flags->image, "Base image: HOST/NAME:TAG, oci-layout://DIR:TAG", Presence::required)
      .value("--platform=P", flags->platform, "Platform that the pack compiles for (default linux/arm64)")
      .value("--from=ORIGIN", flags->origin, "packages, source, or auto (default): packages if of the same source")
      .values("-o,--output=DEST", flags->output, "type=oci,dest=FILE (default: kept in the store)")
      .values("--push=REF", flags->push, "Push it to HOST/NAME, under the tag by which builds find it")
      .values("--build-context=NAME=V", flags->build_context, "Another context, as of `mbuild build`")
      .value("--network=MODE", flags->network, "default or host")
      .value("--progress=MODE", flags->progress, "As of `mbuild build`")
      .flag("-q,--quiet", flags->quiet, "Print the tag only");
  add_store_command(accel, flags, "ls", "List the compiler packs in the store", list_packs, "list")
      .value("--format=F", flags->format, "table or json");
  add_store_command(accel, flags, "rm", "Remove compiler packs from the store", remove_packs, "remove")
      .values("name=NAME", flags->names, "Names as ls has them", Presence::required);
  add_store_command(accel, flags, "push", "Send a compiler pack of the store to a registry or a layout", push_pack)
      .values("name", flags->names, "NAME REF: as ls has it; HOST/NAME or a directory", Presence::required)
      .flag("-q,--quiet", flags->quiet, "Say nothing on the way");
  add_store_command(accel, flags, "pull", "Fetch compiler packs into the store", pull_packs)
      .values("name=REF", flags->names, "HOST/NAME:TAG, oci-layout://DIR:TAG, or an archive", Presence::required)
      .flag("-q,--quiet", flags->quiet, "Say nothing on the way");
}

}  // namespace mbuild::cli
