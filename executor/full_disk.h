#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "executor/collect.h"

// What there is to say to somebody whose disk is full.
namespace mbuild::executor {

// The space around the store when `error` came, before anything was cleaned up; nothing when the error has to do with
// space neither by what it says nor by what there is: a RUN tells nobody why it failed.
std::optional<FileSystemSpace> full_disk_at(const Error& error, const std::string& store_root);

// Says in the error what was left, and what `mbuild prune` would free now, when the build has ended.
void explain_full_disk(Error& error, const FileSystemSpace& left, const std::string& store_root);

}  // namespace mbuild::executor
