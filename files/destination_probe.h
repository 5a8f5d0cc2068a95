#pragma once

#include <optional>
#include <span>
#include <vector>

#include "files/file_actions.h"

namespace mbuild::executor {

// All that the outcome of file actions takes from the directory they are applied to (design.md, section 5): for each
// destination component and each path that would be written and exists, its type and where it resolves to, and the
// ids that owner names stand for. Two roots with equal probes get byte-equal layers.
struct DestinationProbe {
  Digest digest;
  std::vector<std::optional<Owner>> owners;  // one for each action; none: it names no owner
  // False when what the actions do can't be told from single paths (rm, symlink, destinations that differ between
  // actions and might meet through links): the result digest of the whole root must then be in the key as well.
  bool complete = true;
};

// Archives that an action would unpack are read for their names. Throws Error (step_failed) as applying would for names
// of owners that are not there.
DestinationProbe destination_probe(int root, std::span<const graph::FileAction> actions,
                                   std::span<const Selection> selections,
                                   image::OwnerMode owners = image::OwnerMode::real);

}  // namespace mbuild::executor
