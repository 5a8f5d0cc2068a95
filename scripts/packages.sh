# The Debian packages that mbuild needs, by purpose; names exist on Debian 12 and newer and on Ubuntu 24.04.
# docs/dependencies.md says what each library is for. Sourced by setup and .ci/run.

# To build the program.
build_packages="cmake ninja-build g++ pkg-config ccache git
  libfmt-dev libssl-dev libtomlplusplus-dev nlohmann-json3-dev libcurl4-openssl-dev libsqlite3-dev
  libarchive-dev libbz2-dev liblzma-dev zlib1g-dev libcli11-dev libdeflate-dev libisal-dev libzstd-dev libseccomp-dev libcap-dev
  libre2-dev libmpfr-dev libgmp-dev libutf8proc-dev libcrypt-dev libyaml-dev
  llvm-19-dev libxml2-dev libz3-dev catch2"

# To run it, and to make base images. QEMU in user mode is needed for foreign platforms only, uidmap for
# ordinary users, passt for a network of its own for RUN.
run_packages="qemu-user-static uidmap passt ca-certificates python3"

# What the tests compare with and read images by.
test_packages="busybox-static tmux buildah skopeo umoci podman docker-registry slirp4netns openssh-client openssl zstd bzip2 xz-utils
  gcc-aarch64-linux-gnu libc6-dev-arm64-cross"

# Sanitizers and libFuzzer under clang, format and lint.
check_packages="clang-19 libclang-rt-19-dev clang-format-19 clang-tidy-19"
