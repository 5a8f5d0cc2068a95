#include "emu/verify_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/strings.h"
#include "emu/audit.h"
#include "emu/file_tree.h"
#include "layers/blob_reader.h"
#include "layers/inode.h"
#include "layers/tar_reader.h"
#include "oci/image_config.h"
#include "oci/list_images.h"

namespace mbuild::emu {
namespace {

constexpr std::size_t k_start_bytes = k_elf_probe_bytes;

std::string word_of(AuditFinding::Kind kind) {
  if (kind == AuditFinding::Kind::foreign) return "architecture";
  return kind == AuditFinding::Kind::loader ? "loader" : "isa-level";
}

// The program that a file needs to be run by: of an ELF file or of an executable script; "" for none.
std::string interpreter_of(std::string_view start, std::uint32_t mode) {
  if (read_elf_identity(start)) {
    const auto elf = inspect_elf(start);
    return elf ? elf->interpreter : "";
  }
  return (mode & 0111) == 0 ? "" : script_interpreter(start);
}

// What was found in one file.
struct FileFacts {
  std::vector<AuditFinding> findings;
  std::string interpreter;
};

// One image, layer after layer.
class Verification {
 public:
  Verification(const image::ImagePlace& place, const VerifyOptions& options, VerifiedImage& result)
      : place_(place), options_(options), result_(result) {}

  void run(const image::Descriptor& descriptor) {
    const auto manifest = image::parse_manifest(place_.read(descriptor));
    const auto config = frontend::parse_image_config(place_.read(manifest.config));
    result_.layers = manifest.layers.size();
    check_platform(descriptor, config);
    if (config.diff_ids.size() != manifest.layers.size()) {
      error("blob", "",
            fmt::format("the manifest has {} layers but the config names {}", manifest.layers.size(),
                        config.diff_ids.size()));
    }
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      digests_.push_back(manifest.layers[i].digest);
      try {
        layer(i, manifest.layers[i], i < config.diff_ids.size() ? config.diff_ids[i] : "");
      } catch (const Error& failure) {
        error("blob", manifest.layers[i].digest, failure.what());
      }
    }
    for (const auto& [path, facts] : by_path_) judge(path, facts);
  }

 private:
  void error(std::string what, std::string layer, std::string message) {
    result_.findings.push_back({true, std::move(what), "", std::move(layer), std::move(message)});
  }

  void check_platform(const image::Descriptor& descriptor, const frontend::ImageConfig& config) {
    if (!descriptor.platform || platforms::satisfies(config.platform, *descriptor.platform)) return;
    error("platform", "",
          fmt::format("the index says {}, but the config says {}", platforms::to_string(*descriptor.platform),
                      platforms::to_string(config.platform)));
  }

  void layer(std::size_t number, const image::Descriptor& descriptor, const Digest& diff_id) {
    const Fd blob = place_.open(descriptor);
    image::BlobReader reader(blob.get(), true, options_.stop, {});
    Sha256 sha;
    image::TarReader tar([&] {
      const auto bytes = reader.next();
      sha.update(bytes);
      return bytes;
    });
    entries(number, tar);
    const auto facts = reader.facts();
    if (facts.digest != descriptor.digest || facts.size != descriptor.size) {
      error("blob", descriptor.digest,
            fmt::format("the layer {} has {} bytes and the digest {}, not {} bytes", descriptor.digest, facts.size,
                        facts.digest, descriptor.size));
    }
    if (const auto found = sha.digest(); !diff_id.empty() && found != diff_id) {
      error("blob", descriptor.digest,
            fmt::format("the layer's diff id is {}, but the config says {}", found, diff_id));
    }
  }

  void entries(std::size_t number, image::TarReader& tar) {
    image::TarEntry entry;
    while (tar.next(entry)) {
      if (options_.stop.stop_requested()) throw Cancelled();
      ++result_.entries;
      const auto path = tree_.add(entry, number);
      if (!path) continue;
      by_path_.erase(*path);
      if (entry.type == '1') {
        copy_findings(entry, *path);
        continue;
      }
      if (entry.type != '0') continue;
      if (auto facts = file(entry, tar, *path); !facts.findings.empty() || !facts.interpreter.empty()) {
        by_path_[*path] = std::move(facts);
      }
    }
    tar.drain();
    tree_.end_layer(number);
    std::erase_if(by_path_, [&](const auto& item) { return tree_.at(item.first) == nullptr; });
  }

  FileFacts file(const image::TarEntry& entry, image::TarReader& tar, const std::string& path) {
    std::string start;
    for (auto piece = tar.content(); !piece.bytes.empty() && piece.offset == start.size(); piece = tar.content()) {
      start += piece.bytes.substr(0, k_start_bytes - start.size());
      if (start.size() == k_start_bytes) break;
    }
    ArchitectureAudit audit(result_.platform, options_.allow);
    image::Inode inode;
    inode.mode = entry.mode;
    inode.size = entry.size;
    audit.begin_entry(path, inode);
    audit.data(start);
    audit.end_entry();
    result_.elf_files += audit.elf_files();
    // Examples are for those who have what they need.
    const bool is_example = start.starts_with("#!") && path.starts_with("usr/share/doc/");
    return {audit.findings(), is_example ? "" : interpreter_of(start, entry.mode)};
  }

  // A further name of a file has what was found in it.
  void copy_findings(const image::TarEntry& entry, const std::string& path) {
    const auto found = by_path_.find(clean_path("/" + entry.link_target).substr(1));
    if (found == by_path_.end()) return;
    auto facts = found->second;
    for (auto& finding : facts.findings) finding.path = "/" + path;
    by_path_[path] = std::move(facts);
  }

  void judge(const std::string& path, const FileFacts& facts) {
    const auto* node = tree_.at(path);
    const std::string layer = node == nullptr ? "" : digests_.at(node->layer);
    bool foreign = false;
    for (const auto& finding : facts.findings) {
      foreign = foreign || finding.kind == AuditFinding::Kind::foreign;
      const bool grave = finding.kind == AuditFinding::Kind::foreign && !finding.compatible;
      result_.findings.push_back({grave, word_of(finding.kind), finding.path, layer, to_string(finding)});
    }
    if (foreign || facts.interpreter.empty() || tree_.find(facts.interpreter) != nullptr) return;
    if (is_allowed(options_.allow, "/" + path)) return;
    result_.findings.push_back({false, "interpreter", "/" + path, layer,
                                fmt::format("/{} needs {}, which is not in the image", path, facts.interpreter)});
  }

  const image::ImagePlace& place_;
  const VerifyOptions& options_;
  VerifiedImage& result_;
  FileTree tree_;
  std::vector<Digest> digests_;
  std::map<std::string, FileFacts> by_path_;
};

void check_wanted(const VerifyOptions& options, const std::vector<image::PlatformImage>& images,
                  const std::string& name) {
  for (const auto& wanted : options.platforms) {
    const bool there = std::ranges::any_of(images, [&](const auto& image) { return image.platform == wanted; });
    if (there) continue;
    std::vector<std::string> names;
    for (const auto& image : images) names.push_back(platforms::to_string(image.platform));
    throw Error(ExitClass::usage, fmt::format("{} has no image for {}", name, platforms::to_string(wanted)))
        .with_advice("there is: " + join_some(names));
  }
}

}  // namespace

std::size_t VerifiedImage::errors() const {
  return static_cast<std::size_t>(std::ranges::count_if(findings, [](const auto& finding) { return finding.error; }));
}

std::vector<VerifiedImage> verify_images(const image::ImagePlace& place, const VerifyOptions& options) {
  const auto images = image::list_images(place.top, place.read);
  check_wanted(options, images, place.name);
  std::vector<VerifiedImage> results;
  for (const auto& image : images) {
    const bool wanted =
        options.platforms.empty() || std::ranges::find(options.platforms, image.platform) != options.platforms.end();
    if (!wanted) continue;
    auto& result = results.emplace_back();
    result.platform = image.platform;
    result.manifest = image.descriptor.digest;
    Verification(place, options, result).run(image.descriptor);
  }
  return results;
}

}  // namespace mbuild::emu
