#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "image/exporters.h"
#include "image/oci_layout.h"
#include "layers/tar_format.h"
#include "oci/reference.h"

namespace mbuild::image {
namespace {

std::string blob_path(const Digest& digest) { return fmt::format("blobs/sha256/{}", digest_hex(digest)); }

std::string file_header(const std::string& path, std::uint64_t size) {
  Inode inode;
  inode.mode = 0644;
  inode.size = size;
  return tar_header(path, inode);
}

// The entries of index.json: one a name.
std::vector<Descriptor> layout_entries(const ImageSet& set, const Descriptor& top) {
  Descriptor plain = top;
  plain.annotations.insert(set.descriptor_annotations.begin(), set.descriptor_annotations.end());
  if (!set.created.empty()) plain.annotations[std::string(k_annotation_created)] = set.created;
  std::vector<Descriptor> entries;
  for (const std::string& name : set.names) {
    Descriptor& entry = entries.emplace_back(plain);
    entry.annotations[std::string(k_annotation_image_name)] = name;
    const std::string tag = frontend::parse_reference(name).tag;
    entry.annotations[std::string(k_annotation_ref_name)] = tag.empty() ? "latest" : tag;
  }
  if (entries.empty()) entries.push_back(std::move(plain));
  return entries;
}

void copy_blob(const Blob& blob, int to, const OpenBlob& open_blob, const std::stop_token& stop = {}) {
  if (blob.bytes) return write_all(to, *blob.bytes);
  const Fd from = open_blob(blob.descriptor.digest);
  copy_verified(from.get(), to, blob.descriptor, stop);
}

void write_blob_file(const Blob& blob, const std::string& directory, const OpenBlob& open_blob) {
  const std::string path = directory + "/" + blob_path(blob.descriptor.digest);
  struct stat status;
  if (::stat(path.c_str(), &status) == 0 && static_cast<std::uint64_t>(status.st_size) == blob.descriptor.size) return;
  const std::string partial = fmt::format("{}.{}", path, random_hex(8));
  try {
    const Fd fd = open_file(partial, O_WRONLY | O_CREAT | O_EXCL, 0644);
    copy_blob(blob, fd.get(), open_blob);
    if (::rename(partial.c_str(), path.c_str()) != 0) throw system_error(errno, "rename to " + path);
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
}

nlohmann::ordered_json docker_entry(const ImageSet& set, const FinishedImage& image) {
  nlohmann::ordered_json entry;
  entry["Config"] = blob_path(image.config.digest);
  entry["RepoTags"] = nlohmann::ordered_json::array();
  for (const std::string& name : set.names)
    entry["RepoTags"].push_back(frontend::familiar_string(frontend::parse_reference(name)));
  entry["Layers"] = nlohmann::ordered_json::array();
  for (const Descriptor& layer : image.layers) entry["Layers"].push_back(blob_path(layer.digest));
  return entry;
}

std::string docker_manifest_json(const ImageSet& set, const FinishedImage& image) {
  return nlohmann::ordered_json::array({docker_entry(set, image)}).dump();
}

ImageSet only_image(const ImageSet& set) {
  ImageSet only = set;
  std::erase_if(only.images, [](const FinishedImage& image) { return is_attestation(image.manifest); });
  if (only.images.size() > 1) {
    throw Error(ExitClass::usage, "docker exporter does not currently support exporting manifest lists")
        .with_advice("build one platform, or export with --output type=oci");
  }
  if (only.images.empty()) throw Error(ExitClass::internal, "an export without images");
  return only;
}

}  // namespace

std::vector<Blob> blobs_of(const ImageSet& set, const TopLevel& top) {
  std::vector<Blob> blobs;
  std::set<Digest> seen;
  const auto add = [&](const Descriptor& descriptor, const std::string* bytes) {
    if (seen.insert(descriptor.digest).second) blobs.push_back({descriptor, bytes});
  };
  add(top.descriptor, &top.bytes);
  for (const FinishedImage& image : set.images) {
    add(image.manifest, &image.manifest_bytes);
    add(image.config, &image.config_bytes);
    for (const Descriptor& layer : image.layers) add(layer, nullptr);
  }
  return blobs;
}

Descriptor write_oci_directory(const ImageSet& set, const std::string& directory, const OpenBlob& open_blob) {
  const TopLevel top = top_level(set);
  make_directories(directory + "/blobs/sha256");
  for (const Blob& blob : blobs_of(set, top)) write_blob_file(blob, directory, open_blob);

  add_layout_entries(directory, layout_entries(set, top.descriptor));
  return top.descriptor;
}

LayoutTar::LayoutTar(int fd, std::stop_token stop) : fd_(fd), stop_(std::move(stop)) {
  Inode directory;
  directory.type = FileType::directory;
  directory.mode = 0755;
  for (const char* path : {"blobs", "blobs/sha256"}) write_all(fd_, tar_header(path, directory));
}

void LayoutTar::add(const Blob& blob, const OpenBlob& open_blob) {
  if (!written_.insert(blob.descriptor.digest).second) return;
  write_all(fd_, file_header(blob_path(blob.descriptor.digest), blob.descriptor.size));
  copy_blob(blob, fd_, open_blob, stop_);
  write_all(fd_, tar_padding(blob.descriptor.size));
}

void LayoutTar::add_growing(const std::function<Descriptor(int fd)>& copy, const OpenBlob& open_blob) {
  const off_t start = ::lseek(fd_, 0, SEEK_CUR);
  write_all(fd_, std::string(k_tar_block, '\0'));
  const Descriptor blob = copy(fd_);
  const auto end = start + static_cast<off_t>(k_tar_block + blob.size);
  if (::lseek(fd_, 0, SEEK_CUR) != end)
    throw Error(ExitClass::internal, fmt::format("{} was not copied as a whole", blob.digest));
  const std::string header = file_header(blob_path(blob.digest), blob.size);
  if (written_.contains(blob.digest) || header.size() != k_tar_block) {  // a longer header: of more than 8 GiB
    if (::ftruncate(fd_, start) < 0 || ::lseek(fd_, start, SEEK_SET) < 0) throw system_error(errno, "write an archive");
    return add({blob}, open_blob);
  }
  written_.insert(blob.digest);
  if (::lseek(fd_, start, SEEK_SET) < 0) throw system_error(errno, "write an archive");
  write_all(fd_, header);
  if (::lseek(fd_, end, SEEK_SET) < 0) throw system_error(errno, "write an archive");
  write_all(fd_, tar_padding(blob.size));
}

Descriptor LayoutTar::finish(const ImageSet& set, const OpenBlob& open_blob) {
  const Descriptor top = add_blobs(set, open_blob);
  add_index(layout_entries(set, top));
  write_all(fd_, tar_end());
  return top;
}

void LayoutTar::finish_all(std::span<const ImageSet> sets, const OpenBlob& open_blob) {
  std::vector<Descriptor> entries;
  auto for_docker = nlohmann::ordered_json::array();
  for (const ImageSet& set : sets) {
    const auto own = layout_entries(set, add_blobs(set, open_blob));
    entries.insert(entries.end(), own.begin(), own.end());
    const bool is_one = set.images.size() == 1 && !is_index_type(set.images.front().manifest.media_type);
    if (is_one) for_docker.push_back(docker_entry(set, set.images.front()));
  }
  add_index(std::move(entries));
  if (!for_docker.empty()) add_file("manifest.json", for_docker.dump());
  write_all(fd_, tar_end());
}

Descriptor LayoutTar::finish_for_docker(const ImageSet& set, const OpenBlob& open_blob) {
  const ImageSet only = only_image(set);
  const Descriptor top = add_blobs(only, open_blob);
  add_index(layout_entries(only, top));
  add_file("manifest.json", docker_manifest_json(only, only.images.front()));
  write_all(fd_, tar_end());
  return top;
}

Descriptor LayoutTar::add_blobs(const ImageSet& set, const OpenBlob& open_blob) {
  const TopLevel top = top_level(set);
  const auto blobs = blobs_of(set, top);
  for (const Blob& blob : blobs) {
    if (!blob.bytes) add(blob, open_blob);
  }
  for (const Blob& blob : blobs) add(blob, open_blob);
  return top.descriptor;
}

void LayoutTar::add_index(std::vector<Descriptor> entries) {
  Index index;
  index.media_type = media_type::k_oci_index;
  index.manifests = std::move(entries);
  add_file("index.json", serialise_index(index));
  add_file("oci-layout", k_layout_version);
}

void LayoutTar::add_file(const std::string& path, std::string_view content) {
  write_all(fd_, file_header(path, content.size()));
  write_all(fd_, content);
  write_all(fd_, tar_padding(content.size()));
}

Descriptor write_docker_directory(const ImageSet& set, const std::string& directory, const OpenBlob& open_blob) {
  const ImageSet only = only_image(set);
  const Descriptor top = write_oci_directory(only, directory, open_blob);
  write_file_atomically(directory + "/manifest.json", docker_manifest_json(only, only.images.front()), 0644);
  return top;
}

}  // namespace mbuild::image
