#pragma once

#include <string>

// Whose the directory of a store is, and what it may hold besides.
namespace mbuild::cache {

// Makes the directory of a store, or takes it over, for this user alone. Throws Error (store) where it is none to take:
// of another user, shared, not empty, on a network file system, of another format.
void take_store_directory(const std::string& root);
// A directory of the store; what is in its place and is none goes out of the way.
void make_store_directory(const std::string& path, unsigned mode);
// Makes a file of the store ours alone; one that is not there is none the worse for it.
void make_file_private(const std::string& path);
// The name that something damaged at `path` is set aside under; no two are the same.
std::string name_aside(const std::string& path);

}  // namespace mbuild::cache
