#pragma once

#include <string_view>

namespace mbuild {

// True when MBUILD_TEST_DISABLE (a comma-separated list) names the host feature, so that the next best way is taken:
// userns, userns-ranges, overlay, lowerdir-plus, binfmt-ns, exec-trace, proc-mount, step-userns (a user namespace of
// its own for each RUN), root-map (the ids of images apart from the host's for real root), pasta, slirp4netns, tun,
// early-start (programs begin before their network is there), seccomp-listener (somebody who lets them wait for it),
// and local-worker (steps run in another process, where that can do them).
bool feature_disabled(std::string_view name);

}  // namespace mbuild
