#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "containers/options.h"
#include "containers/shelf.h"
#include "executor/api/build_request.h"
#include "executor/api/events.h"
#include "executor/sources/base_images.h"
#include "executor/sources/cache_import.h"
#include "executor/steps/steps.h"
#include "executor/workplace.h"
#include "frontend/frontend.h"
#include "graph/graph.h"
#include "planner/plan.h"

namespace mbuild::containers {

// Finds an image where the user says it is: a name in the store, else in a registry; an OCI layout; an OCI archive or
// what docker saved. No layer is read yet, but those of files, which the store takes where it lacks them: the blobs
// themselves with `blobs`, else what is not unpacked.
frontend::ResolvedImage find_image(const Options& options, executor::ImageSources& images, cache::Store& store,
                                   const std::stop_token& stop, bool blobs = false);

// The image that a container was started on, wherever its name leads by now; blobs that the store lacks are those of
// the registry that it came from.
frontend::ResolvedImage image_of(const Standing& standing, executor::ImageSources& images);
// What is to be written down of an image that a container runs on.
Standing standing_of(const frontend::ResolvedImage& image, const std::vector<std::string>& layers,
                     const executor::ImageSources& images);
// An image of a registry is kept by its name from now on, where the store has none of that name or `anew` is true, and
// all of it came: as `pull` keeps it.
void keep_pulled(const frontend::ResolvedImage& image, bool anew, const executor::ImageSources& images,
                 cache::Store& store);

// The program of a container as a RUN on its image: a graph of two nodes, by which the executor's doors do the rest.
class ImageRoot {
 public:
  // All that is given has to outlive this.
  ImageRoot(const executor::SessionRequest& session, executor::BuildStore& place, executor::Workplace& workplace,
            executor::ImageSources& images, const frontend::ResolvedImage& image, graph::ExecOp process,
            const platforms::Platform& platform, const std::stop_token& stop);
  ImageRoot(const ImageRoot&) = delete;
  ImageRoot& operator=(const ImageRoot&) = delete;

  // The task of the RUN, with its layers in the store, and what emulates it made ready.
  executor::RunTask task();
  // The same where nothing will be run: what files are there.
  executor::RunTask resting_task();
  executor::LocalWorker& worker() { return steps_.parts().worker; }
  // Of layers of the task.
  executor::Stack stack(const executor::LayerIds& layers) { return steps_.parts().layers.stack(layers, stop_); }
  std::string next_directory() { return steps_.parts().work.next(); }

 private:
  struct NoSink final : executor::ProgressSink {
    void vertex(const executor::VertexEvent&) override {}
    void log(const executor::LogEvent&) override {}
    void status(const executor::StatusEvent&) override {}
  };

  executor::RunTask begin();
  executor::RunTask with_layers(executor::RunTask task);

  std::stop_token stop_;
  NoSink sink_;
  graph::Graph graph_;
  graph::NodeId image_ = 0, program_ = 0;
  planner::Plan plan_;
  executor::ImportedCaches imports_;
  executor::Steps steps_;
};

}  // namespace mbuild::containers
