#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cache/store.h"
#include "image/exporters.h"
#include "image/image_place.h"
#include "platforms/platform.h"

// Images of elsewhere in the store, and those of the store elsewhere.
namespace mbuild::executor {

// Has an image in the store, under each of the names: the one for a platform, or all that there are with their index.
// Every blob is verified, and the names are set when the last one is there. Throws Error.
cache::StoredImage keep_image(const image::ImagePlace& from, const std::vector<std::string>& names,
                              const std::optional<platforms::Platform>& platform, const image::GetRegistry& registry,
                              cache::Store& store, const std::stop_token& stop);

// A kept image as a place that others copy from. Both have to outlive it.
image::ImagePlace stored_place(cache::Store& store, const cache::StoredImage& kept);

// What exporters write: all images of a kept one.
image::ImageSet stored_set(const image::ImagePlace& place, const std::vector<std::string>& names);

// By name, or by the beginning of a digest that fits one image only. Throws Error (usage) for a word that means none.
cache::StoredImage find_stored(cache::Store& store, const std::string& word);
// The same: by a digest, under each of the names that the image has.
std::vector<cache::StoredImage> find_all_stored(cache::Store& store, const std::string& word);
bool is_stored(cache::Store& store, const std::string& word);
// Takes a name away, or, by a digest, all names of an image; what was taken away. Throws Error (usage) where there are
// several and not `all` are to go.
std::vector<std::string> forget_image(cache::Store& store, const std::string& word, bool all);
// By the beginning of a digest alone; empty where it fits none. Throws Error (usage) where it fits several images.
std::vector<cache::StoredImage> stored_by_digest(cache::Store& store, const std::string& word);

}  // namespace mbuild::executor
