#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "oci/manifest.h"

namespace mbuild::image {

// A tar of an image: an OCI layout, or what `docker save` wrote. Only its headers are read at first; blobs stay where
// they are until one is asked for. Not thread-safe.
class ImageArchive {
 public:
  // Throws Error: (store) where the file can't be read, (usage) where it is no archive of an image.
  explicit ImageArchive(const std::string& path);
  ImageArchive(const ImageArchive&) = delete;
  ImageArchive& operator=(const ImageArchive&) = delete;

  // What the archive holds: its only image, or an index of several.
  const Descriptor& top() const { return top_; }
  // What the images in it are called, as it is written there; none where they have no names.
  const std::vector<std::string>& names() const { return names_; }
  // The images with their names: each by itself where each has names of its own, else all as one.
  struct Named {
    Descriptor top;
    std::vector<std::string> names;
  };
  std::vector<Named> images() const;
  // The verified bytes of a manifest, index or config.
  std::string read(const Descriptor& document) const;
  // The bytes of a blob, valid as long as this; their digest is not checked.
  std::string_view blob(const Descriptor& descriptor) const;

 private:
  std::string_view member(const std::string& name) const;
  std::string_view document_member(const std::string& name) const;
  void list_members();
  void list_image(const Descriptor& top, const std::string& name);
  void read_layout();
  void read_docker_save();

  std::string path_;
  MappedFile file_;
  std::map<std::string, std::string_view> members_;  // regular files by path
  std::map<Digest, std::string_view> named_;         // blobs and documents that are under no blobs/ path
  std::map<Digest, std::string> made_;               // documents made here
  Descriptor top_;
  std::vector<std::string> names_;
  std::vector<Named> several_;  // each of what is listed in it
};

}  // namespace mbuild::image
