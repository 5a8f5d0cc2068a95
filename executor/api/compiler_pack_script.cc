#include "executor/api/compiler_pack_script.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "executor/api/compiler_pack.h"

namespace mbuild::executor {
namespace {

// What both steps begin with. Compilers have to be of the very same source as the image's own: Debian appends "crossN"
// to the version of a cross compiler, and its package of the source has the version as it is ("+bN" is a rebuild of the
// same source).
constexpr std::string_view k_head = R"SHELL(set -e
umask 022
triplet=@TRIPLET@ arch=@ARCH@ from=@FROM@
apt="apt-get -qq -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0"
fail() { echo "$1" >&2; exit 1; }
version_of() { dpkg-query -W -f '${Version}' "$1" 2> /dev/null; }
candidate() { apt-cache policy "$1" | sed -n 's/^  Candidate: //p' | sed 's/^(none)$//'; }
of_source() { echo "$1" | sed 's/+b[0-9]*$//'; }
choose() {
  version=$(apt-cache depends gcc | sed -n 's/^ *Depends: gcc-\([0-9]*\)$/\1/p')
  [ -n "$version" ] || fail "The image's package sources have no gcc, or there is no way to them from here."
  own=$(candidate "gcc-$version") cross=$(candidate "gcc-$version-$triplet") source=$(candidate "gcc-$version-source")
  same=
  case $cross in "$own"cross[0-9]*) same="packages" ;; esac
  [ "$source" != "$(of_source "$own")" ] || same="$same source"
  for word in $same; do
    [ $from != auto ] || from=$word
    [ $from != $word ] || return 0
  done
  fail "The image's package sources have gcc-$version ${own:-in no version}, as a cross compiler ${cross:-none}, and \
as source ${source:-none}: only one of the same source can stand in."
}
)SHELL";

constexpr std::string_view k_plan = R"SHELL(
command -v apt-get > /dev/null || fail "The image has no apt-get: packs are made of Debian's packages."
$apt update
choose
mkdir -p /pack
{
  echo "from $from"
  echo "compiler gcc-$version"
  echo "own $own"
  [ -z "$cross" ] || echo "cross $cross"
} > /pack/plan
)SHELL";

// Packs the cross compilers, with the libraries they need, the programs that stand in for others anyway, and what dpkg
// knows of them. The image's packages for the other platform tell the checksums of what the pack replaces; where they
// can't be had, versions decide alone. A compiler that is made from source has them, since the native one says how it
// was configured.
//
// It is patched and configured as Debian does it for a cross compiler, so that it has the same directories in it. All
// languages of the native one are enabled, because they number what is written for link-time optimisation, but only
// C and C++ are compiled: no compiler of Ada or D is needed, whatever configure thinks.
constexpr std::string_view k_make = R"SHELL(
facts=/pack/usr/share/compiler-pack list=/tmp/pack.list
add() {
  for one; do
    if [ -e "$one" ]; then
      echo "$(readlink -f "$(dirname "$one")")/$(basename "$one")"
      readlink -f "$one"
    fi
  done >> $list
}
add_program() {
  add "$1"
  ldd "$1" 2> /dev/null | sed -n 's/^[^/]*\(\/[^ ]*\) (0x.*/\1/p' > /tmp/pack.needs
  while read -r library; do add "$library"; done < /tmp/pack.needs
}
# The native packages of the other platform, unpacked: the compilers' are called after the triplet, too, since Debian 13.
fetch_own() {
  dpkg --add-architecture $arch && $apt update && mkdir -p /tmp/own/root && cd /tmp/own || return 1
  for package in $cross_packages; do
    v=$(version_of "$package") || v=$own
    [ -n "$(candidate "$package:$arch")" ] || package=${package%-"$triplet"}
    $apt download "$package:$arch=${v%cross*}" > /dev/null || return 1
  done
  for path in *.deb; do dpkg-deb -x "$path" root || return 1; done
  cd /
}
own_compiler() {
  for path in /tmp/own/root/usr/lib*/gcc/$triplet/$version/$1; do
    [ ! -f "$path" ] || echo "$path"
  done
}
# What the native compiler was configured with, for a cross compiler that runs here.
configured() {
  said=$(grep -a -o '\.\./src/configure -v [[:print:]]*' "$(own_compiler cc1)" | head -n 1)
  [ -n "$said" ] || fail "The compiler for linux/$arch does not say how it was configured."
  here=$(gcc -dumpmachine)
  eval "set -- ${said#* }"
  for word; do
    shift
    case $word in
      --build=* | --host=*) word=${word%%=*}=$here ;;
      --enable-bootstrap | --with-build-config=* | --enable-offload-* | --enable-link-serialization=*) continue ;;
    esac
    set -- "$@" "$word"
  done
  set -- "$@" --with-sysroot=/ "--includedir=/usr/$triplet/include" --disable-bootstrap
  echo "Configuring gcc $own for linux/$arch: $*"
  GNATBIND=gnatbind GNATMAKE=gnatmake GDC=gdc acx_cv_cc_gcc_supports_ada=yes acx_cv_d_compiler_works=yes \
    CFLAGS=-O2 CXXFLAGS=-O2 ../src/configure "$@" > /tmp/configure.log 2>&1 || failed_by configure
}
failed_by() { tail -n 40 "/tmp/$1.log" >&2; fail "gcc $own could not be compiled: $1 failed."; }
# As a package of Debian's cross compilers would have it: add_package NAME FILE...
add_package() {
  rm -rf /tmp/package
  mkdir -p /tmp/package/DEBIAN
  package=$1
  shift
  directory=$(dirname "$(own_compiler cc1)" | sed 's,^/tmp/own/root/\(usr/lib[a-z]*\)/gcc/,\1/gcc-cross/,')
  for path; do
    target=$directory/$(basename "$path")
    install -D -s "$path" "/tmp/package/$target"
    (cd /tmp/package && md5sum "$target" >> DEBIAN/md5sums)
  done
  {
    echo "Package: $package"
    echo "Version: ${own}cross0"
    echo "Architecture: $(dpkg --print-architecture)"
    echo "Maintainer: nobody <nobody@localhost>"
    echo "Description: compiled from gcc-$version-source"
  } > /tmp/package/DEBIAN/control
  dpkg-deb -b /tmp/package /tmp/package.deb > /dev/null
  dpkg -i /tmp/package.deb > /dev/null
}
compile() {
  echo "Installing gcc-$version-source $source and what it needs"
  $apt install -y --no-install-recommends "gcc-$version-source=$source" "gcc-$version" "g++-$version" libc6-dev make \
    "binutils-$triplet" libgmp-dev libmpfr-dev libmpc-dev libisl-dev zlib1g-dev libzstd-dev dpkg-dev flex bison gettext \
    patch bzip2 xz-utils > /dev/null
  fetch_own || fail "The packages for linux/$arch can't be had here: what gcc was configured with is not known."
  cp -a "/usr/src/gcc-$version" /tmp/gcc
  cd /tmp/gcc
  DEB_GCC_TARGET=$arch make -f debian/rules patch > /tmp/patch.log 2>&1 || failed_by patch
  mkdir build bin
  for name in gcc g++; do
    ln -s "/usr/bin/$name-$version" "bin/$name"
  done
  PATH=/tmp/gcc/bin:$PATH
  cd build
  configured
  : > /tmp/failed
  { make "-j$(nproc)" all-gcc TARGET-gcc="cc1 cc1plus lto1" 2>&1 || echo failed > /tmp/failed; } | tee /tmp/make.log |
    awk '/ -c / && ++n % 50 == 0 { print n " files compiled"; fflush() }'
  [ ! -s /tmp/failed ] || failed_by make
  add_package "cpp-$version-$triplet" gcc/cc1
  add_package "g++-$version-$triplet" gcc/cc1plus
  add_package "gcc-$version-$triplet" gcc/lto1 lto-plugin/.libs/liblto_plugin.so
  cd /
  rm -rf /tmp/gcc /tmp/package
}

choose
cross_packages="cpp-$version-$triplet g++-$version-$triplet gcc-$version-$triplet binutils-$triplet"
if [ $from = source ]; then
  compile
else
  $apt install -y --no-install-recommends "gcc-$version-$triplet" "g++-$version-$triplet" "binutils-$triplet" \
    make patch bzip2 xz-utils > /dev/null
fi

: > $list
compilers=
for file in /usr/lib*/gcc-cross/$triplet/*/cc1 /usr/lib*/gcc-cross/$triplet/*/cc1plus \
  /usr/lib*/gcc-cross/$triplet/*/lto1 /usr/lib*/gcc-cross/$triplet/*/liblto_plugin.so \
  /usr/bin/$triplet-as /usr/bin/$triplet-ld.bfd; do
  [ -f "$file" ] || continue
  add_program "$file"
  compilers="$compilers $file"
done
same_packages="dash coreutils sed grep gzip xz-utils bzip2 zstd tar mawk findutils diffutils patch make dpkg"
for package in $same_packages; do
  dpkg-query -L "$package" 2> /dev/null | grep -E '^(/usr)?/bin/' > /tmp/pack.files || continue
  while read -r path; do
    if [ -f "$path" ] && head -c 4 "$path" | grep -q ELF; then add_program "$path"; fi
  done < /tmp/pack.files
done
for link in /bin /sbin /lib /lib64; do [ ! -L $link ] || echo $link >> $list; done
echo /var/lib/dpkg/status >> $list
for package in $same_packages $cross_packages; do add "/var/lib/dpkg/info/$package.md5sums"; done
rm -f /pack/plan
mkdir -p /pack/usr/share
sort -u $list | sed 's,^/,,' > /tmp/pack.sorted
tar -C / --no-recursion -T /tmp/pack.sorted -cf /tmp/pack.tar
tar -C /pack -xf /tmp/pack.tar

{
  echo "compiler pack 1"
  echo "platform linux/$arch"
  echo "base $(version_of libgcc-s1)"
  for package in $cross_packages; do
    if v=$(version_of "$package"); then echo "package $package $v"; fi
  done
  for path in $compilers; do echo "program $(sha256sum < "$path" | cut -c1-64) ${path#/}"; done
} > $facts

if [ $from = source ] || fetch_own; then
  for path in $compilers; do
    own=$(echo "$path" | sed 's,/gcc-cross/,/gcc/,')
    if [ -f "/tmp/own/root$own" ]; then echo "replaces $(sha256sum < "/tmp/own/root$own" | cut -c1-64) ${own#/}"; fi
  done >> $facts
else
  echo "The packages for linux/$arch can't be had here: the pack does not name the checksums of what it replaces." >&2
fi
)SHELL";

std::string with_word(std::string text, std::string_view word, std::string_view by) {
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + by.size())) {
    text.replace(at, word.size(), by);
  }
  return text;
}

std::string_view word_of(PackOrigin origin) {
  return origin == PackOrigin::packages ? "packages" : origin == PackOrigin::source ? "source" : "auto";
}

}  // namespace

PackOrigin parse_pack_origin(std::string_view text) {
  for (const auto origin : {PackOrigin::automatic, PackOrigin::packages, PackOrigin::source}) {
    if (text == word_of(origin)) return origin;
  }
  throw usage_error(fmt::format("compilers come from no \"{}\"", text))
      .with_advice("--from is auto, packages or source.");
}

PackPlan parse_pack_plan(std::string_view text) {
  PackPlan plan;
  for (const auto& line : split(text, '\n')) {
    const auto words = split(std::string_view(line), ' ');
    if (words.size() != 2) continue;
    if (words[0] == "from") plan.origin = parse_pack_origin(words[1]);
    if (words[0] == "compiler") plan.compiler = words[1];
    if (words[0] == "own") plan.own = words[1];
    if (words[0] == "cross") plan.cross = words[1];
  }
  return plan;
}

std::string pack_dockerfile(const platforms::Platform& platform, PackOrigin origin) {
  const auto triplet = pack_triplet(platform);
  if (triplet.empty() || platform.arch == platforms::host_platform().arch) {
    throw usage_error(fmt::format("there are no compiler packs for {} on a {} host", platforms::to_string(platform),
                                  platforms::to_string(platforms::host_platform())))
        .with_advice("They are made for linux/arm64 on hosts of other architectures.");
  }
  auto head = with_word(with_word(std::string(k_head), "@TRIPLET@", triplet), "@ARCH@", platform.arch);
  head = with_word(std::move(head), "@FROM@", word_of(origin));
  return fmt::format(
      "FROM base AS planned\nENV DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8\nUSER 0\nRUN <<'PLAN'\n{0}{1}PLAN\n"
      "FROM scratch AS plan\nCOPY --from=planned /pack/plan /plan\n"
      "FROM planned AS made\nRUN <<'PACK'\n{0}{2}PACK\n"
      "FROM scratch AS facts\nCOPY --from=made /pack/{3} /facts\n"
      "FROM scratch AS pack\nCOPY --from=made /pack /\n",
      head, k_plan, k_make, k_pack_facts_path);
}

}  // namespace mbuild::executor
