#pragma once

#include <string>
#include <vector>

#include "cache/store.h"
#include "image/exporters.h"

// Images that are kept in the store, by name: what the exporter "image" makes.
namespace mbuild::executor {

// Keeps a set under each of its names, under its digest where it has none; with `canonical`, under NAME@DIGEST too. All
// blobs that the store lacks are copied, and verified, before the first name is set.
void store_image(const image::ImageSet& set, cache::Store& store, const image::OpenBlob& open_blob, bool canonical);

// Opens the store at `root` for commands that need nothing but its index and blobs.
cache::Store open_store(const std::string& root);

}  // namespace mbuild::executor
