#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "layers/layer_digest.h"
#include "worker/jobs/jobs.h"

// What the operations share inside: places to work in, snapshots to read, layers to make.
namespace mbuild::executor::jobs {

// Makes `path` below the job's work directory, empty.
std::string make_work_directory(const std::string& work, std::string_view name);
// "upper" of a container, with what earlier runs have written; what else they have left in `work` is removed.
std::string keep_upper(const std::string& work);
// A directory of this job's own on a file system in memory that ends with the job: a step makes a dozen files and
// directories that nobody needs afterwards, and on disk each costs more than all the rest of its life. All jobs of a
// build mount theirs at the same place, beside their work directories.
std::string make_scratch(const std::string& work);
// A mounted tree as a directory that can be read (a mount descriptor can't).
Fd open_root(const Fd& mount);
// The mounted snapshot, or an empty directory where it has no layers; `scratch` is made, and both last as long as the
// job's process. (Closing a mount waits for the kernel, milliseconds that would come before the reply.)
int snapshot_root(const Stack& stack, const std::string& scratch);
// The same for jobs that only read and copy files: where nothing can be mounted, the layers merged into a directory
// below `work`.
int readable_root(const Stack& stack, const std::string& scratch, const std::string& work);
// Renames what is whole; something without a valid row that has the name is moved out of its way.
void give_final_name(const std::string& from, const std::string& to);
// Digests what is in `upper`, then gives it its final name. `known` are files of it that need not be read. When there
// are device nodes, `check_nodes` is called with their paths and may change them; true if it did.
using NodeCheck = std::function<bool(int upper, const std::vector<std::string>& paths)>;
NewLayer commit_layer(const std::string& upper, const std::string& final_path, std::vector<std::string> implied,
                      image::OwnerMode owners, const image::KnownFiles& known = {}, const NodeCheck& check_nodes = {});

}  // namespace mbuild::executor::jobs
