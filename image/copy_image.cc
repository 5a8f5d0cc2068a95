#include "image/copy_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "image/oci_layout.h"
#include "oci/reference.h"

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
    if (depth > k_max_nesting) throw Error(ExitClass::usage, "the image indexes are nested too deeply");
    if (stop_.stop_requested()) throw Cancelled();
    if (from_.repository && to_.repository && *from_.repository == *to_.repository) return;
    if (done_.contains(descriptor.digest)) return;
    done_[descriptor.digest] = document(descriptor, from_.read(descriptor), depth);
    for (const auto& referrer : from_.referrers(descriptor.digest)) refer(referrer, descriptor.digest, depth + 1);
  }

 private:
  static constexpr int k_max_nesting = 8;
  static constexpr std::size_t k_most_referrers = 1000;

  // Stores a document when all that it needs is there. True when what it refers to is told by the target itself.
  bool document(const Descriptor& descriptor, const std::string& bytes, int depth) {
    if (is_index_type(descriptor.media_type)) {
      for (const auto& inner : parse_index(bytes).manifests) document(inner, depth + 1);
    } else {
      const auto manifest = parse_manifest(bytes);
      blob(manifest.config);
      for (const auto& layer : manifest.layers) blob(layer);
    }
    if (to_.repository) {
      return registry_()
          .push_manifest(*to_.repository, descriptor.digest, descriptor.media_type, bytes, stop_)
          .subject_listed;
    }
    write_file_atomically(blob_path(to_, descriptor.digest), bytes, 0644);
    return false;
  }

  // What refers to a copied document comes along, and what refers to that.
  void refer(const Descriptor& listed, const Digest& subject, int depth) {
    if (depth > k_max_nesting || !seen_.insert({listed.digest, subject}).second) return;
    if (seen_.size() > k_most_referrers) {
      throw Error(ExitClass::usage, fmt::format("more than {} manifests refer to the image", k_most_referrers));
    }
    const auto referrer = read_referrer(from_, listed, subject);
    if (!referrer) return;
    const auto known = done_.find(listed.digest);
    const bool is_listed = known != done_.end() ? known->second : document(listed, referrer->bytes, depth);
    if (!is_listed) list(referrer->descriptor, subject);
    if (known != done_.end()) return;
    done_[listed.digest] = is_listed;
    for (const auto& next : from_.referrers(listed.digest)) refer(next, listed.digest, depth + 1);
  }

  void list(const Descriptor& referrer, const Digest& subject) {
    if (!to_.repository) {
      Descriptor entry = referrer;  // what it says of itself must give it no name in the layout
      for (const auto key : {k_annotation_ref_name, k_annotation_image_name}) entry.annotations.erase(std::string(key));
      return add_layout_entries(to_.layout, {entry});
    }
    const auto tag = remote::referrers_tag(subject);
    Index index{.media_type = std::string(media_type::k_oci_index)};
    if (const auto kept = registry_().find_manifest(*to_.repository, tag, stop_)) {
      // A registry that takes the tag for the digest has no place for a list.
      if (kept->digest == subject || !is_index_type(kept->media_type)) return;
      index = parse_index(kept->bytes);
    }
    for (const auto& known : index.manifests) {
      if (known.digest == referrer.digest) return;
    }
    index.manifests.push_back(referrer);
    registry_().push_manifest(*to_.repository, tag, index.media_type, serialise_index(index), stop_);
  }

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
  std::map<Digest, bool> done_;               // copied; whether the target itself lists it with its subject
  std::set<std::pair<Digest, Digest>> seen_;  // referrer and subject
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
