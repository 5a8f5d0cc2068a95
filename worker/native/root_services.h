#pragma once

#include <set>
#include <string>

// What libc loads into a program by need, as a root directory has it: a native program has to find the same.
namespace mbuild::executor {

// The services by which /etc/nsswitch.conf has users and groups looked up; "dns" and "files", which need not be named;
// and "compat" where it says nothing of users. Those of systemd are left out: it does not run in a step.
std::set<std::string> lookup_services(int root);
// Whether the root has the library of a service, for whatever platform.
bool has_service(int root, const std::string& service);
// The files by which character sets are converted.
std::set<std::string> conversion_files(int root);

}  // namespace mbuild::executor
