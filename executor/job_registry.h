#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "executor/jobs.h"

// The inner half of jobs.h: what runs in the job processes.
namespace mbuild::executor::jobs {

std::string unpack_job(std::string_view payload, std::vector<Fd>& fds);
std::string run_job(std::string_view payload, std::vector<Fd>& fds);
std::string probe_files_job(std::string_view payload, std::vector<Fd>& fds);
std::string apply_files_job(std::string_view payload, std::vector<Fd>& fds);
std::string digest_tree_job(std::string_view payload, std::vector<Fd>& fds);
std::string select_files_job(std::string_view payload, std::vector<Fd>& fds);
std::string serialise_job(std::string_view payload, std::vector<Fd>& fds);
std::string export_job(std::string_view payload, std::vector<Fd>& fds);
std::string remove_job(std::string_view payload, std::vector<Fd>& fds);

// Makes `path` below the job's work directory, empty.
std::string make_work_directory(const std::string& work, std::string_view name);
// A mounted tree as a directory that can be read (a mount descriptor can't).
Fd open_root(const Fd& mount);
// Digests what is in `upper`, then gives it its final name.
NewLayer commit_layer(const std::string& upper, const std::string& final_path, std::vector<std::string> implied,
                      image::OwnerMode owners);

}  // namespace mbuild::executor::jobs
