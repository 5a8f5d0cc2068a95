#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "cli/cancel.h"
#include "cli/commands.h"
#include "cli/config/store_root.h"
#include "cli/display/json_text.h"
#include "cli/display/terminal.h"
#include "cli/kept_place.h"
#include "cli/registry_client.h"
#include "emu/verify_image.h"

namespace mbuild::cli {
namespace {

constexpr std::size_t k_shown = 50;  // findings of an image

struct VerifyFlags {
  std::string root, reference, format = "text";
  std::vector<std::string> platforms, allow;
};

std::string count(std::size_t number, std::string_view thing) {
  return fmt::format("{} {}{}", number, thing, number == 1 ? "" : "s");
}

void print_text(const std::vector<emu::VerifiedImage>& images) {
  for (const auto& image : images) {
    const auto errors = image.errors();
    const auto warnings = image.findings.size() - errors;
    print("{}  {}  {}, {}, {}: {}\n", platforms::to_string(image.platform), image.manifest,
          count(image.layers, "layer"), count(image.entries, "file"), count(image.elf_files, "ELF file"),
          image.findings.empty() ? "ok" : count(errors, "error") + ", " + count(warnings, "warning"));
    std::size_t shown = 0;
    for (const bool error : {true, false}) {
      for (const auto& finding : image.findings) {
        if (finding.error != error || ++shown > k_shown) continue;
        const auto layer = finding.layer.empty() ? "" : fmt::format(" (layer {})", finding.layer.substr(0, 19));
        print("  {:<8} {}{}\n", error ? "error" : "warning", finding.message, layer);
      }
    }
    if (shown > k_shown) print("  and {} more: --format json has all\n", shown - k_shown);
  }
}

std::string json_of(const std::vector<emu::VerifiedImage>& images) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& image : images) {
    auto findings = nlohmann::ordered_json::array();
    for (const auto& finding : image.findings) {
      findings.push_back({{"severity", finding.error ? "error" : "warning"},
                          {"what", finding.what},
                          {"path", finding.path},
                          {"layer", finding.layer},
                          {"message", finding.message}});
    }
    list.push_back({{"platform", platforms::to_string(image.platform)},
                    {"digest", image.manifest},
                    {"layers", image.layers},
                    {"files", image.entries},
                    {"elfFiles", image.elf_files},
                    {"findings", findings}});
  }
  return json_text(list);
}

int run_verify(const VerifyFlags& flags) {
  if (flags.format != "text" && flags.format != "json") {
    throw Error(ExitClass::usage, fmt::format("unknown format \"{}\"", flags.format))
        .with_advice("Formats are text and json.");
  }
  CancelOnSignal cancel;
  RegistryClient client;
  KeptPlaces places(flags.root);
  const auto place = places.find(flags.reference, client.get(), cancel.token());
  emu::VerifyOptions options{.platforms = {}, .allow = flags.allow, .stop = cancel.token()};
  if (!flags.platforms.empty()) options.platforms = platforms::parse_platform_list(join(flags.platforms, ","));
  const auto images = emu::verify_images(place, options);
  flags.format == "json" ? print("{}\n", json_of(images)) : print_text(images);
  const bool failed = std::ranges::any_of(images, [](const auto& image) { return image.errors() > 0; });
  return failed ? 1 : 0;
}

}  // namespace

void add_verify_command(Command& top) {
  auto flags = std::make_shared<VerifyFlags>();
  Command verify = top.add("verify", "Check an image: digests, and that its programs fit its platform");
  verify.value("image=IMAGE", flags->reference, "NAME of the store, HOST/NAME:TAG, oci-layout:DIR[:TAG], or a tar",
               Presence::required);
  verify.value("--format=F", flags->format, "text or json");
  verify.values("--platform=LIST", flags->platforms, "Only these platforms, which have to be there");
  verify.values("--arch-allow=GLOB", flags->allow, "Paths (glob) that may hold programs of other architectures");
  add_root_option(verify, flags->root);
  verify.run([flags] { return run_verify(*flags); });
}

}  // namespace mbuild::cli
