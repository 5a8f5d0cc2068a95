#include "image/copy_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/error.h"
#include "frontend/reference.h"
#include "image/oci_layout.h"

namespace mbuild::image {
namespace {

std::string blob_path(const ImageTarget& to, const Digest& digest) {
  return fmt::format("{}/blobs/sha256/{}", to.layout, digest_hex(digest));
}

class Copy {
 public:
  Copy(const ImagePlace& from, const ImageTarget& to, const GetRegistry& registry, const std::stop_token& stop)
      : from_(from), to_(to), registry_(registry), stop_(stop) {}

  void document(const Descriptor& descriptor, int depth = 0) {
    constexpr int k_max_nesting = 8;
    if (depth > k_max_nesting) throw Error(ExitClass::usage, "the image indexes are nested too deeply");
    if (stop_.stop_requested()) throw Cancelled();
    if (from_.repository && to_.repository && *from_.repository == *to_.repository) return;
    const std::string bytes = from_.read(descriptor);
    if (is_index_type(descriptor.media_type)) {
      for (const auto& inner : parse_index(bytes).manifests) document(inner, depth + 1);
    } else {
      const auto manifest = parse_manifest(bytes);
      blob(manifest.config);
      for (const auto& layer : manifest.layers) blob(layer);
    }
    if (to_.repository) {
      registry_().push_manifest(*to_.repository, descriptor.digest, descriptor.media_type, bytes, stop_);
    } else {
      write_file_atomically(blob_path(to_, descriptor.digest), bytes, 0644);
    }
  }

 private:
  void blob(const Descriptor& descriptor) { to_.repository ? push(descriptor) : write(descriptor); }

  void push(const Descriptor& descriptor) {
    auto& registry = registry_();
    if (registry.has_blob(*to_.repository, descriptor.digest, stop_)) return;
    const auto& origin = from_.repository;
    if (origin && origin->host == to_.repository->host &&
        registry.mount_blob(*to_.repository, descriptor.digest, origin->name, stop_)) {
      return;
    }
    const Fd file = from_.open(descriptor);
    registry.push_blob(*to_.repository, {descriptor.digest, descriptor.size}, remote::upload_from_file(file.get()),
                       stop_);
  }

  void write(const Descriptor& descriptor) {
    const std::string path = blob_path(to_, descriptor.digest);
    struct stat status;
    if (::stat(path.c_str(), &status) == 0 && static_cast<std::uint64_t>(status.st_size) == descriptor.size) return;
    const std::string partial = fmt::format("{}.{}", path, random_hex(8));
    try {
      const Fd file = from_.open(descriptor);
      const Fd out = open_file(partial, O_WRONLY | O_CREAT | O_EXCL, 0644);
      copy_verified(file.get(), out.get(), descriptor);
      if (::rename(partial.c_str(), path.c_str()) != 0) throw system_error(errno, "rename to " + path);
    } catch (...) {
      ::unlink(partial.c_str());
      throw;
    }
  }

  const ImagePlace& from_;
  const ImageTarget& to_;
  const GetRegistry& registry_;
  const std::stop_token& stop_;
};

}  // namespace

ImageTarget parse_image_target(std::string_view text) {
  ImageTarget target;
  if (is_layout_reference(text)) {
    text.remove_prefix(text.find(':') + 1);
    if (text.starts_with("//")) text.remove_prefix(2);
    const auto reference = parse_layout_reference(text);
    if (!reference.digest.empty()) throw Error(ExitClass::usage, fmt::format("a target has no digest: {}", text));
    target.layout = reference.directory;
    target.tag = reference.tag.empty() ? "latest" : reference.tag;
    target.name = fmt::format("oci-layout://{}:{}", target.layout, target.tag);
    return target;
  }
  const auto reference = frontend::with_default_tag(frontend::parse_reference(text));
  if (!reference.digest.empty()) throw Error(ExitClass::usage, fmt::format("a target has no digest: {}", text));
  target.repository = remote::Repository{reference.domain, reference.path};
  target.tag = reference.tag;
  target.name = frontend::to_string(reference);
  return target;
}

void copy_content(const ImagePlace& from, const Descriptor& descriptor, const ImageTarget& to,
                  const GetRegistry& registry, const std::stop_token& stop) {
  if (!to.repository) make_directories(to.layout + "/blobs/sha256");
  Copy(from, to, registry, stop).document(descriptor);
}

void put_top(const Descriptor& descriptor, const std::string& bytes, const ImageTarget& to, const GetRegistry& registry,
             const std::stop_token& stop) {
  if (to.repository) {
    registry().push_manifest(*to.repository, to.tag, descriptor.media_type, bytes, stop);
    return;
  }
  make_directories(to.layout + "/blobs/sha256");
  write_file_atomically(blob_path(to, descriptor.digest), bytes, 0644);
  Descriptor entry = descriptor;
  entry.annotations[std::string(k_annotation_ref_name)] = to.tag;
  add_layout_entries(to.layout, {entry});
}

}  // namespace mbuild::image
