#pragma once

#include "layers/layer_tar.h"

namespace mbuild::image {

// Whether two layers with the same result digest, which leaves times out, have the same times where a program set them
// on purpose: a time that is not about the one at which the file came into the layer's directory. Throws Error (store).
bool have_same_set_times(const LayerSource& one, const LayerSource& other);

}  // namespace mbuild::image
