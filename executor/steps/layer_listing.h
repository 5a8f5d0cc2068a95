#pragma once

#include <functional>
#include <map>
#include <string>

#include "layers/tar_reader.h"
#include "worker/work_directories.h"
#include "worker/worker.h"

namespace mbuild::executor {

// What a layer's tar says of each path but for times: two runs of a step never agree on those.
using LayerListing = std::map<std::string, std::string>;  // path -> type, mode, owner, target or size, checksum, ...

// Calls `use` for each entry of a layer's tar; the reader stands before the entry's content.
void each_entry(Worker& worker, const std::string& layer, WorkDirectories& work, const std::stop_token& stop,
                const std::function<void(const image::TarEntry& entry, image::TarReader& reader)>& use);

LayerListing list_layer(Worker& worker, const std::string& layer, WorkDirectories& work, const std::stop_token& stop);

// Paths of which the two say something else, as lines with what they say.
std::map<std::string, std::string> differences(const LayerListing& a, const LayerListing& b);

}  // namespace mbuild::executor
