#pragma once

#include <functional>
#include <string>
#include <vector>

// What `prune` of containers, networks and images removes, and `system prune` all together. Without a question.
namespace mbuild::cli {

using Tell = std::function<void(const std::string& removed)>;

// Containers that have ended; `tell` gets their ids. Throws Error (usage) for a wrong filter, as the others.
void remove_ended_containers(const std::string& store_root, const std::vector<std::string>& filters, const Tell& tell);
// Networks that no container has, by name.
void remove_unused_networks(const std::string& store_root, const std::vector<std::string>& filters, const Tell& tell);
// Images that no container has: those without a name, or `all`. `tell` gets "Deleted: NAME" or "Untagged: NAME".
void remove_unused_images(const std::string& store_root, const std::vector<std::string>& filters, bool all,
                          const Tell& tell);

// Volumes that no container has: those without a chosen name, or `all`. Returns the names of the others.
std::vector<std::string> remove_unused_volumes(const std::string& store_root, const std::vector<std::string>& filters,
                                               bool all, const Tell& tell);

}  // namespace mbuild::cli
