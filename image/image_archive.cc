// The file is mapped and its headers are walked by the reader of layers, which is given one block of 512 bytes at a
// time: so the place of each member's content is known without a page of that content being read.
#include "image/image_archive.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "layers/tar_reader.h"

namespace mbuild::image {
namespace {

using nlohmann::json;

constexpr std::size_t k_block = 512;
constexpr std::size_t k_max_archive_document = std::size_t{16} << 20;

Error no_image(const std::string& path, std::string_view why) {
  return Error(ExitClass::usage, fmt::format("{} is no archive of an image: {}", path, why))
      .with_advice("Give an uncompressed tar as -o type=oci, -o type=docker or `docker save` write it.");
}

MappedFile map_file(const std::string& path) {
  const Fd fd = open_file(path, O_RDONLY);
  MappedFile file(fd.get(), path);
  if (file.bytes().empty()) throw no_image(path, "it is empty");
  return file;
}

}  // namespace

ImageArchive::ImageArchive(const std::string& path) : path_(path), file_(map_file(path)) {
  list_members();
  members_.contains("index.json") ? read_layout() : read_docker_save();
}

void ImageArchive::list_members() {
  const std::string_view bytes = file_.bytes();
  std::size_t position = 0;
  TarReader tar([&] {
    const auto block = bytes.substr(std::min(position, bytes.size()), k_block);
    position += block.size();
    return block;
  });
  TarEntry entry;
  try {
    while (tar.next(entry)) {
      if (entry.type == '2') {
        // Older versions of `docker save` have links from one layer's tar to an equal one.
        const auto target = members_.find(join_path("/" + dir_name(entry.path), entry.link_target).substr(1));
        if (target != members_.end()) members_[clean_path(entry.path)] = target->second;
      }
      if (entry.type != '0' || entry.size > bytes.size() - std::min(position, bytes.size())) continue;
      members_[clean_path(entry.path)] = bytes.substr(position, entry.size);
    }
  } catch (const Error& error) {
    throw no_image(path_, error.message);
  }
}

std::string_view ImageArchive::member(const std::string& name) const {
  const auto found = members_.find(name);
  if (found == members_.end()) throw no_image(path_, fmt::format("it has no {}", name));
  return found->second;
}

std::string_view ImageArchive::document_member(const std::string& name) const {
  const auto text = member(name);
  if (text.size() > k_max_archive_document) throw no_image(path_, fmt::format("its {} is too large", name));
  return text;
}

void ImageArchive::read_layout() {
  const auto text = document_member("index.json");
  Index index = parse_index(text);
  std::set<Digest> different;
  for (const auto& entry : index.manifests) {
    different.insert(entry.digest);
    list_image(entry, "");
    for (const auto key : {k_annotation_image_name, k_annotation_ref_name}) {
      const auto name = entry.annotations.find(std::string(key));
      if (name == entry.annotations.end()) continue;
      names_.push_back(name->second);
      list_image(entry, name->second);
      break;
    }
  }
  if (different.empty()) throw no_image(path_, "its index.json names no image");
  if (different.size() == 1) {
    top_ = index.manifests.front();
    return;
  }
  top_ = describe(media_type::k_oci_index, text);
  named_[top_.digest] = text;
}

// `name`: one that it has besides; "": none.
void ImageArchive::list_image(const Descriptor& top, const std::string& name) {
  const auto is_same = [&](const Named& other) { return other.top.digest == top.digest; };
  auto found = std::ranges::find_if(several_, is_same);
  if (found == several_.end()) found = several_.insert(several_.end(), Named{top, {}});
  if (!name.empty()) found->names.push_back(name);
}

std::vector<ImageArchive::Named> ImageArchive::images() const {
  std::set<std::string> seen;
  for (const auto& image : several_) {
    const auto is_others = [&](const std::string& name) { return !seen.insert(name).second; };
    // Images for several platforms may be listed one by one.
    const bool is_whole = image.names.empty() || std::ranges::any_of(image.names, is_others);
    if (is_whole) return {{top_, names_}};
  }
  return several_;
}

// manifest.json lists the path of a config and the paths of layers; digests are those that the content has.
void ImageArchive::read_docker_save() {
  const json list = json::parse(document_member("manifest.json"), nullptr, false);
  if (!list.is_array() || list.empty()) throw no_image(path_, "its manifest.json is no list of images");
  const auto add = [&](const json& name, std::string_view type) {
    if (!name.is_string()) throw no_image(path_, "its manifest.json is malformed");
    const auto content = member(clean_path(name.get<std::string>()));
    const Descriptor descriptor = describe(type, content);
    named_[descriptor.digest] = content;
    return descriptor;
  };
  Index index{.media_type = std::string(media_type::k_oci_index)};
  for (const auto& entry : list) {
    if (!entry.is_object() || !entry.contains("Config") || !entry.contains("Layers") || !entry["Layers"].is_array())
      throw no_image(path_, "its manifest.json is malformed");
    Manifest manifest{.media_type = std::string(media_type::k_docker_manifest)};
    manifest.config = add(entry["Config"], media_type::k_docker_config);
    for (const auto& layer : entry["Layers"]) manifest.layers.push_back(add(layer, media_type::k_docker_layer));
    const auto text = serialise_manifest(manifest);
    index.manifests.push_back(describe(manifest.media_type, text));
    made_[index.manifests.back().digest] = text;
    list_image(index.manifests.back(), "");
    for (const auto& name : entry.value("RepoTags", json::array())) {
      if (!name.is_string()) continue;
      names_.push_back(name.get<std::string>());
      list_image(index.manifests.back(), names_.back());
    }
  }
  if (index.manifests.size() == 1) {
    top_ = index.manifests.front();
    return;
  }
  const auto text = serialise_index(index);
  top_ = describe(index.media_type, text);
  made_[top_.digest] = text;
}

std::string_view ImageArchive::blob(const Descriptor& descriptor) const {
  if (const auto found = made_.find(descriptor.digest); found != made_.end()) return found->second;
  if (const auto found = named_.find(descriptor.digest); found != named_.end()) return found->second;
  const auto found = members_.find(fmt::format("blobs/sha256/{}", digest_hex(descriptor.digest)));
  if (found != members_.end()) return found->second;
  throw Error(ExitClass::usage, fmt::format("{} lacks the blob {}", path_, descriptor.digest))
      .with_advice("the archive is incomplete: export it again");
}

std::string ImageArchive::read(const Descriptor& document) const {
  const auto bytes = blob(document);
  if (bytes.size() > k_max_archive_document)
    throw no_image(path_, fmt::format("{} is too large a document", document.digest));
  if (const auto digest = sha256(bytes); digest != document.digest) {
    throw Error(ExitClass::usage, fmt::format("the blob {} in {} has the digest {}", document.digest, path_, digest))
        .with_advice("the archive is damaged: export it again");
  }
  return std::string(bytes);
}

}  // namespace mbuild::image
