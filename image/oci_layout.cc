#include "image/oci_layout.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <future>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/output_file.h"
#include "base/strings.h"

namespace mbuild::image {
namespace {

constexpr int k_max_nesting = 8;
constexpr std::uint64_t k_max_document = 16 * 1024 * 1024;  // a manifest, an index or a config
constexpr std::string_view k_scheme = "oci-layout://";
constexpr std::string_view k_default_tag = "latest";

std::string annotation(const Descriptor& descriptor, std::string_view name) {
  const auto found = descriptor.annotations.find(std::string(name));
  return found == descriptor.annotations.end() ? "" : found->second;
}

// "docker.io/library/app:v1" -> "v1".
std::string tag_of_name(const std::string& name) {
  const std::size_t colon = name.rfind(':');
  return colon == std::string::npos || name.find('/', colon) != std::string::npos ? "" : name.substr(colon + 1);
}

bool has_tag(const Descriptor& descriptor, const std::string& tag) {
  const std::string reference = annotation(descriptor, k_annotation_ref_name);
  const std::string name = annotation(descriptor, k_annotation_image_name);
  return reference == tag || name == tag || (reference.empty() && !name.empty() && tag_of_name(name) == tag);
}

// A file of no more bytes than a document may have.
std::string read_document(const Fd& file, const std::string& what) {
  struct stat status;
  if (::fstat(file.get(), &status) < 0) throw system_error(errno, "read " + what);
  if (!S_ISREG(status.st_mode)) throw Error(ExitClass::usage, what + " is no regular file");
  if (static_cast<std::uint64_t>(status.st_size) > k_max_document) {
    throw Error(ExitClass::usage, what + " is too large for a manifest or a config");
  }
  return read_all(file.get());
}

Index read_layout_index(const std::string& directory) {
  const std::string path = directory + "/index.json";
  if (!path_exists(path)) {
    throw Error(ExitClass::usage, fmt::format("{} is no OCI layout: it has no index.json", directory))
        .with_advice("name the directory that holds oci-layout and index.json");
  }
  try {
    return parse_index(read_document(open_file(path, O_RDONLY | O_NONBLOCK), path));
  } catch (Error& error) {
    error.with_context(path);
    throw;
  }
}

std::string list_tags(const Index& index) {
  std::set<std::string> tags;
  for (const Descriptor& descriptor : index.manifests) {
    std::string tag = annotation(descriptor, k_annotation_ref_name);
    if (tag.empty()) tag = annotation(descriptor, k_annotation_image_name);
    if (!tag.empty()) tags.insert(std::move(tag));
  }
  if (tags.empty())
    return fmt::format("the layout has {} images and no tags; name one by its digest", index.manifests.size());
  const std::vector<std::string> list(tags.begin(), tags.end());
  return "there is: " + join_some(list);
}

// An entry of index.json, or of an index below it.
std::optional<Descriptor> find_digest(const std::string& directory, const Index& index, const Digest& digest,
                                      int depth) {
  for (const Descriptor& descriptor : index.manifests) {
    if (descriptor.digest == digest) return descriptor;
  }
  if (depth >= k_max_nesting) return std::nullopt;
  for (const Descriptor& descriptor : index.manifests) {
    if (!is_index_type(descriptor.media_type)) continue;
    const Index inner = parse_index(read_layout_blob(directory, descriptor));
    if (auto found = find_digest(directory, inner, digest, depth + 1)) return found;
  }
  return std::nullopt;
}

Descriptor find_tag(const LayoutReference& reference, const Index& index) {
  const std::string tag = reference.tag.empty() ? std::string(k_default_tag) : reference.tag;
  std::vector<Descriptor> entries;
  for (const Descriptor& descriptor : index.manifests) {
    if (has_tag(descriptor, tag)) return descriptor;
    if (!is_attestation(descriptor) && descriptor.artifact_type.empty()) entries.push_back(descriptor);
  }
  if (reference.tag.empty() && entries.size() == 1) return entries.front();
  throw Error(ExitClass::usage, fmt::format("{} has no image tagged {}", reference.directory, tag))
      .with_advice(list_tags(index));
}

std::string describe_reference(const LayoutReference& reference) {
  return reference.directory + (reference.tag.empty() ? "" : ":" + reference.tag) +
         (reference.digest.empty() ? "" : "@" + reference.digest);
}

}  // namespace

LayoutReference parse_layout_reference(std::string_view text) {
  LayoutReference reference;
  const std::string original(text);
  if (text.starts_with(k_scheme)) text.remove_prefix(k_scheme.size());
  if (const std::size_t at = text.rfind('@');
      at != std::string_view::npos && text.find('/', at) == std::string_view::npos) {
    reference.digest = text.substr(at + 1);
    if (!is_sha256_digest(reference.digest)) {
      throw Error(ExitClass::usage, fmt::format("{}: \"{}\" is no digest", original, reference.digest))
          .with_advice("a digest is sha256: and 64 hexadecimal digits");
    }
    text = text.substr(0, at);
  }
  if (const std::size_t colon = text.rfind(':');
      colon != std::string_view::npos && text.find('/', colon) == std::string_view::npos) {
    reference.tag = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  reference.directory = text;
  if (text.empty()) throw Error(ExitClass::usage, fmt::format("{}: no directory is named", original));
  return reference;
}

Descriptor resolve_layout(const LayoutReference& reference) {
  const Index index = read_layout_index(reference.directory);
  if (reference.digest.empty()) return find_tag(reference, index);
  if (auto found = find_digest(reference.directory, index, reference.digest, 0)) return *found;
  // A blob that no index names can be named by its digest as well.
  const std::string path = fmt::format("{}/blobs/sha256/{}", reference.directory, digest_hex(reference.digest));
  if (!path_exists(path)) {
    throw Error(ExitClass::usage, fmt::format("{} has no image {}", reference.directory, reference.digest))
        .with_advice(list_tags(index));
  }
  Descriptor descriptor;
  descriptor.digest = reference.digest;
  const std::string bytes = read_layout_blob(reference.directory, descriptor);
  descriptor.size = bytes.size();
  descriptor.media_type = is_index_document(bytes) ? parse_index(bytes).media_type : parse_manifest(bytes).media_type;
  return descriptor;
}

namespace {

ReadDocument reader_of(const std::string& directory) {
  return [directory](const Descriptor& descriptor) { return read_layout_blob(directory, descriptor); };
}

}  // namespace

ImageDescription read_layout_image(const LayoutReference& reference, const platforms::Platform& platform) {
  const Descriptor top = resolve_layout(reference);
  // Whoever names one manifest by its digest means it, whatever its platform.
  const bool any_platform = !reference.digest.empty() && !is_index_type(top.media_type);
  return select_image(top, platform, reader_of(reference.directory), describe_reference(reference), any_platform);
}

namespace {

Index present_index(const std::string& path) {
  Index index;
  if (path_exists(path)) index = parse_index(read_document(open_file(path, O_RDONLY | O_NONBLOCK), path));
  index.media_type = media_type::k_oci_index;
  return index;
}

bool is_replaced_by(const Descriptor& present, const Descriptor& added) {
  const auto value = [](const Descriptor& descriptor, std::string_view key) {
    const auto found = descriptor.annotations.find(std::string(key));
    return found == descriptor.annotations.end() ? std::string() : found->second;
  };
  for (const std::string_view key : {k_annotation_ref_name, k_annotation_image_name}) {
    if (value(present, key) != value(added, key)) return false;
  }
  return !value(added, k_annotation_ref_name).empty() || present.digest == added.digest;
}

}  // namespace

std::vector<Descriptor> layout_referrers(const std::string& directory, const Digest& subject) {
  std::vector<Descriptor> found;
  for (const auto& entry : present_index(directory + "/index.json").manifests) {
    try {
      auto referrer = parse_referrer(entry, read_layout_blob(directory, entry));
      if (referrer && referrer->subject == subject) found.push_back(std::move(referrer->descriptor));
    } catch (const Error&) {  // an entry without its blob, or of another kind
    }
  }
  return found;
}

void add_layout_entries(const std::string& directory, std::vector<Descriptor> entries) {
  const std::string path = directory + "/index.json";
  Index index = present_index(path);
  for (Descriptor& added : entries) {
    std::erase_if(index.manifests, [&](const Descriptor& present) { return is_replaced_by(present, added); });
    index.manifests.push_back(std::move(added));
  }
  write_output(directory + "/oci-layout", k_layout_version);
  write_output(path, serialise_index(index));
}

Fd open_layout_blob(const std::string& directory, const Descriptor& descriptor) {
  const std::string path = fmt::format("{}/blobs/sha256/{}", directory, digest_hex(descriptor.digest));
  if (!path_exists(path)) {
    throw Error(ExitClass::usage, fmt::format("{} lacks the blob {}", directory, descriptor.digest))
        .with_advice("the layout is incomplete: export it again");
  }
  Fd fd = open_file(path, O_RDONLY);
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) throw system_error(errno, "read " + path);
  if (descriptor.size != 0 && static_cast<std::uint64_t>(status.st_size) != descriptor.size) {
    throw Error(ExitClass::usage,
                fmt::format("{} has {} bytes, but its descriptor says {}", path, status.st_size, descriptor.size))
        .with_advice("the layout is damaged: export it again");
  }
  return fd;
}

std::string read_layout_blob(const std::string& directory, const Descriptor& descriptor) {
  const Fd fd = open_layout_blob(directory, descriptor);
  std::string bytes = read_document(fd, descriptor.digest);
  if (const Digest digest = sha256(bytes); digest != descriptor.digest) {
    throw Error(ExitClass::usage,
                fmt::format("the blob {} in {} has the digest {}", descriptor.digest, directory, digest))
        .with_advice("the layout is damaged: export it again");
  }
  return bytes;
}

void copy_verified(int from, int to, const Descriptor& descriptor, const std::stop_token& stop) {
  Sha256 sha;
  std::uint64_t size = 0;
  constexpr std::size_t k_piece = 4 * 1024 * 1024, k_worth_a_thread = 256 * 1024;
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(k_piece);
  DropBehind read(from), written(to);
  for (std::size_t n = k_piece; n == k_piece;) {
    if (stop.stop_requested()) throw Cancelled();
    n = read_full(from, {buffer.get(), k_piece});
    const std::string_view piece(reinterpret_cast<const char*>(buffer.get()), n);
    size += n;
    // More bytes than announced are not even written: a tar header may have promised the size.
    if (descriptor.size != 0 && size > descriptor.size) break;
    const auto policy = n < k_worth_a_thread ? std::launch::deferred : std::launch::async;
    auto hashed = std::async(policy, [&] { sha.update(piece); });
    write_all(to, piece);
    written.advance(n);
    read.advance(n);
    hashed.get();
  }
  const bool size_differs = descriptor.size != 0 && size != descriptor.size;
  const Digest digest = size_differs ? "" : sha.digest();
  if (size_differs || digest != descriptor.digest) {
    throw Error(ExitClass::network, size_differs
                                        ? fmt::format("the blob {} does not have the {} bytes that it should",
                                                      descriptor.digest, descriptor.size)
                                        : fmt::format("the blob {} has the digest {}", descriptor.digest, digest))
        .with_advice("the blob is damaged: remove it and try again");
  }
}

}  // namespace mbuild::image
