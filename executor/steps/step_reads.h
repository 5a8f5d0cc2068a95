#pragma once

#include <memory>
#include <string>

#include "executor/sources/contexts.h"
#include "executor/steps/step_table.h"
#include "executor/steps/step_targets.h"

// What steps read of their inputs, as far as it is known without a look at a snapshot: from directories of the user,
// and the digests of whole snapshots.
namespace mbuild::executor {

class StepReads {
 public:
  StepReads(const StepTable& table, const StepTargets& targets) : table_(table), targets_(targets) {}

  // What a copy takes from a directory of the user; once it was copied, what was copied. Null where its source is none.
  std::shared_ptr<const Contexts::Selected> selected(graph::NodeId id, std::size_t action) const;
  // The same of what a mount shows.
  std::shared_ptr<const Contexts::Selected> shown(graph::NodeId id, std::size_t mount) const;
  // The same of the first content of a cache mount, which has its selector within.
  std::shared_ptr<const Contexts::Selected> first_content(graph::NodeId id, std::size_t mount) const;

  // The digests of all that the step has as input, whole snapshots included.
  Digest inputs(graph::NodeId id) const;
  // See keys.h; "" where that is all of the content key, and for a RUN.
  Digest partial_key(graph::NodeId id) const;

 private:
  std::shared_ptr<const Contexts::Selected> below(graph::NodeId id, std::size_t mount,
                                                  const std::string& selector) const;

  const StepTable& table_;
  const StepTargets& targets_;
};

}  // namespace mbuild::executor
