#pragma once

#include <optional>
#include <string>

namespace mbuild {

// A variable of this process's environment; nothing where it is not set. Below cli this is the only place where one is
// read, and only for what is so of the host and of this process, whoever asks for a build: where its programs are
// (PATH, MBUILD_QEMU_DIR), where temporary files go (TMPDIR), how it reaches the network (HTTP_PROXY, SSL_CERT_FILE,
// GIT_SSH, beside what libcurl and git read themselves), in what container and for whom it runs (container,
// KUBERNETES_SERVICE_HOST, GITHUB_ACTIONS, GITLAB_CI, USER), and the switches of the tests (MBUILD_TEST_*). What a user
// wants comes with the request. cmake/check_includes.py has the list of names.
std::optional<std::string> host_variable(const char* name);

}  // namespace mbuild
