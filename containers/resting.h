#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "containers/image_root.h"
#include "containers/shelf.h"
#include "executor/api/build_request.h"
#include "executor/sources/base_images.h"
#include "executor/workplace.h"

namespace mbuild::containers {

// What a container stands on, without its program: the store with all that works in it.
class Resting {
 public:
  // Throws Error (usage) for a container that has never been started, Error where a part of its image is gone.
  Resting(const executor::SessionRequest& session, const Container& container, const std::stop_token& stop);

  cache::Store& store() { return place_.store; }
  executor::Workplace& workplace() { return workplace_; }
  executor::ImageSources& images() { return images_; }
  const frontend::ResolvedImage& image() const { return image_; }
  const std::string& work_directory() const { return place_.directory.path(); }

  // Of one that does not run. Throws what serve_files throws.
  executor::FileReply files(executor::FileOrder order);
  // "A /path", "C /path", "D /path".
  std::vector<std::string> changes();

 private:
  ImageRoot& root();

  executor::SessionRequest session_;
  const Container container_;
  std::stop_token stop_;
  executor::BuildStore place_;
  executor::Workplace workplace_;
  executor::ImageSources images_;
  frontend::ResolvedImage image_;
  std::optional<ImageRoot> root_;
};

}  // namespace mbuild::containers
