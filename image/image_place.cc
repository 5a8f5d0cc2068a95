#include "image/image_place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/host_variable.h"
#include "image/image_archive.h"
#include "image/oci_layout.h"
#include "oci/reference.h"

namespace mbuild::image {
namespace {

constexpr std::uint64_t k_largest_document = std::uint64_t{16} << 20;  // a manifest, an index or a config

constexpr std::string_view k_layout_word = "oci-layout:";

ImagePlace place_in_layout(std::string_view text) {
  text = without_layout_word(text);
  const auto reference = parse_layout_reference(text);
  ImagePlace place;
  place.name = fmt::format("oci-layout://{}", text);
  place.top = resolve_layout(reference);
  place.layout = reference.directory;
  place.read = [directory = reference.directory](const Descriptor& document) {
    return read_layout_blob(directory, document);
  };
  place.open = [directory = reference.directory](const Descriptor& blob) { return open_layout_blob(directory, blob); };
  place.referrers = [directory = reference.directory](const Digest& subject) {
    return layout_referrers(directory, subject);
  };
  return place;
}

// In memory a large layer would crowd out the rest.
Fd unnamed_file() {
  const std::string directory = host_variable("TMPDIR").value_or("");
  std::string path = (directory.empty() ? "/var/tmp" : directory) + "/mbuild-XXXXXX";
  Fd fd(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd) throw system_error(errno, "make the temporary file " + path);
  ::unlink(path.c_str());
  return fd;
}

ImagePlace place_in_archive(const std::string& path) {
  const auto archive = std::make_shared<ImageArchive>(path);
  ImagePlace place;
  place.name = path;
  place.top = archive->top();
  place.read = [archive](const Descriptor& document) { return archive->read(document); };
  place.open = [archive](const Descriptor& blob) {
    Fd copy = unnamed_file();
    write_all(copy.get(), archive->blob(blob));
    if (::lseek(copy.get(), 0, SEEK_SET) < 0) throw system_error(errno, "rewind a temporary file");
    return copy;
  };
  place.referrers = [](const Digest&) { return std::vector<Descriptor>(); };
  return place;
}

void start_over(int fd) {
  if (::ftruncate(fd, 0) < 0 || ::lseek(fd, 0, SEEK_SET) < 0) throw system_error(errno, "rewind a temporary file");
}

Fd pull(remote::Registry& registry, const remote::Repository& repository, const Descriptor& blob,
        const std::stop_token& stop) {
  Fd fd = unnamed_file();
  registry.pull_blob(
      repository, {blob.digest, blob.size},
      {.data = [&](std::string_view bytes) { write_all(fd.get(), bytes); }, .restart = [&] { start_over(fd.get()); }},
      stop);
  if (::lseek(fd.get(), 0, SEEK_SET) < 0) throw system_error(errno, "rewind a temporary file");
  return fd;
}

ImagePlace place_on_registry(std::string_view text, const GetRegistry& registry, const std::stop_token& stop) {
  const auto reference = frontend::with_default_tag(frontend::parse_reference(text));
  const remote::Repository repository{reference.domain, reference.path};
  ImagePlace place;
  place.name = frontend::to_string(reference);
  place.repository = repository;
  const auto top = remote::require_manifest(registry(), repository,
                                            reference.digest.empty() ? reference.tag : reference.digest, stop);
  place.top = {.media_type = top.media_type, .digest = top.digest, .size = top.bytes.size()};
  place.read = [registry, repository, stop, top](const Descriptor& document) {
    if (document.digest == top.digest) return top.bytes;
    if (is_manifest_type(document.media_type) || is_index_type(document.media_type)) {
      return remote::require_manifest(registry(), repository, document.digest, stop).bytes;
    }
    if (document.size > k_largest_document) {
      throw Error(ExitClass::network, fmt::format("{} has {} bytes: too many for a manifest or a configuration",
                                                  document.digest, document.size));
    }
    return read_all(pull(registry(), repository, document, stop).get());
  };
  place.open = [registry, repository, stop](const Descriptor& blob) {
    return pull(registry(), repository, blob, stop);
  };
  place.referrers = [registry, repository, stop](const Digest& subject) {
    std::vector<Descriptor> all;
    for (const auto& page : registry().find_referrers(repository, subject, stop)) {
      for (auto& referrer : parse_listing(page)) all.push_back(std::move(referrer));
    }
    return all;
  };
  return place;
}

}  // namespace

std::string_view without_layout_word(std::string_view reference) {
  if (reference.starts_with(k_layout_word)) reference.remove_prefix(k_layout_word.size());
  if (reference.starts_with("//")) reference.remove_prefix(2);
  return reference;
}

bool is_layout_reference(std::string_view reference) { return reference.starts_with(k_layout_word); }

namespace {

ImagePlace find_anywhere(std::string_view reference, const GetRegistry& registry, const std::stop_token& stop) {
  if (is_layout_reference(reference)) return place_in_layout(reference);
  const std::string path(reference);
  struct stat status;
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode) && path_exists(path + "/index.json")) return place_in_layout(reference);
    if (S_ISREG(status.st_mode)) return place_in_archive(path);
  }
  return place_on_registry(reference, registry, stop);
}

}  // namespace

std::optional<ReadReferrer> read_referrer(const ImagePlace& place, const Descriptor& listed, const Digest& subject) {
  if (!is_index_type(listed.media_type) && !is_manifest_type(listed.media_type)) return std::nullopt;
  try {
    std::string bytes = place.read(listed);
    auto referrer = parse_referrer(listed, bytes);
    if (!referrer || referrer->subject != subject) return std::nullopt;
    return ReadReferrer{std::move(referrer->descriptor), std::move(bytes)};
  } catch (const remote::HttpError& error) {
    if (error.status != 404) throw;
  } catch (const Error&) {  // it is not there, or not what it should be
  }
  return std::nullopt;
}

ImagePlace find_image_place(std::string_view reference, const GetRegistry& registry, const std::stop_token& stop) {
  auto place = find_anywhere(reference, registry, stop);
  // The name that an image has in its layout is not part of it.
  for (const auto key : {k_annotation_ref_name, k_annotation_image_name}) place.top.annotations.erase(std::string(key));
  return place;
}

}  // namespace mbuild::image
