# The Debian packages that mbuild needs, by purpose; names exist on Debian 12 and newer and on Ubuntu 24.04.
# docs/dependencies.md says what each library is for. Sourced by setup and .ci/run.

# To build the program. Of llvm-19-dev, headers and archives are unpacked to build/llvm (unpack_llvm): to install it would
# install LLVM's tools and clang's library as well.
build_packages="cmake ninja-build g++
  libfmt-dev libssl-dev libtomlplusplus-dev nlohmann-json3-dev libcurl4-openssl-dev libsqlite3-dev
  libarchive-dev libbz2-dev liblzma-dev zlib1g-dev libcli11-dev libdeflate-dev libisal-dev libzstd-dev libseccomp-dev libcap-dev
  libre2-dev libmpfr-dev libgmp-dev libutf8proc-dev libcrypt-dev libyaml-dev"

# To run it, and to make base images. QEMU in user mode is needed for foreign platforms only, uidmap for
# ordinary users, passt for a network of its own for RUN.
run_packages="qemu-user-static uidmap passt ca-certificates python3"

# To compile the tests, and what they compare with and read images by.
test_packages="catch2 ccache git busybox-static tmux buildah skopeo umoci podman docker-registry slirp4netns openssh-client openssl zstd bzip2 xz-utils
  gcc-aarch64-linux-gnu libc6-dev-arm64-cross"

# Sanitizers and libFuzzer under clang, format and lint.
check_packages="clang-19 libclang-rt-19-dev clang-format-19 clang-tidy-19"

# To make packages of mbuild and to try them, the virtual machine of tests/vm, and a browser that reads reports.
package_packages="chromium dpkg-dev file lintian mmdebstrap podman runc qemu-system-arm"

# Where nobody has installed llvm-19-dev: its files, without what it depends on, below build/llvm. Takes no root.
unpack_llvm() {
  [ ! -e /usr/lib/llvm-19/lib/libLLVMObject.a ] && [ ! -e build/llvm/usr/lib/llvm-19/lib/libLLVMObject.a ] || return 0
  local directory
  directory=$(mktemp -d)
  (cd "$directory" && apt-get download -qq llvm-19-dev) && dpkg -x "$directory"/llvm-19-dev_*.deb "$directory/llvm" &&
    mkdir -p build && rm -rf build/llvm && mv "$directory/llvm" build/llvm
  local status=$?
  rm -rf "$directory"
  return $status
}
