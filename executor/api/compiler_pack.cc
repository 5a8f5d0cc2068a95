#include "executor/api/compiler_pack.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/strings.h"
#include "oci/reference.h"

namespace mbuild::executor {
namespace {

// Packs the cross compilers of the image's own package sources, where they are of the same source as its compilers
// (Debian appends "crossN" to the version then), with the libraries they need, the programs that stand in for others
// anyway, and what dpkg knows of them. The image's packages for the other platform tell the checksums of what the pack
// replaces; where they can't be had, versions decide alone.
constexpr std::string_view k_pack_script = R"SHELL(set -e
umask 022
triplet=@TRIPLET@ arch=@ARCH@ facts=/pack/usr/share/compiler-pack list=/tmp/pack.list
apt="apt-get -qq -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0"
fail() { echo "$1" >&2; exit 1; }
version_of() { dpkg-query -W -f '${Version}' "$1" 2> /dev/null; }
candidate() { apt-cache policy "$1" | sed -n 's/^  Candidate: //p'; }
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

command -v apt-get > /dev/null || fail "The image has no apt-get: packs are made of Debian's packages."
$apt update
version=$(apt-cache depends gcc | sed -n 's/^ *Depends: gcc-\([0-9]*\)$/\1/p')
[ -n "$version" ] || fail "The image's package sources have no gcc, or there is no way to them from here."
own=$(candidate "gcc-$version") cross=$(candidate "gcc-$version-$triplet")
case $cross in
  "$own"cross[0-9]*) ;;
  *) fail "The image's package sources have gcc-$version ${own:-in no version}, and as a cross compiler ${cross:-none}: \
only one of the same source can stand in." ;;
esac
$apt install -y --no-install-recommends "gcc-$version-$triplet" "g++-$version-$triplet" "binutils-$triplet" \
  make patch bzip2 xz-utils > /dev/null

: > $list
compilers=
for file in /usr/libexec/gcc-cross/$triplet/*/cc1 /usr/libexec/gcc-cross/$triplet/*/cc1plus \
  /usr/libexec/gcc-cross/$triplet/*/lto1 /usr/libexec/gcc-cross/$triplet/*/liblto_plugin.so \
  /usr/bin/$triplet-as /usr/bin/$triplet-ld.bfd; do
  [ -f "$file" ] || continue
  add_program "$file"
  compilers="$compilers $file"
done
cross_packages="cpp-$version-$triplet g++-$version-$triplet gcc-$version-$triplet binutils-$triplet"
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

replaced() {
  dpkg --add-architecture $arch && $apt update && mkdir -p /tmp/own/root && cd /tmp/own || return 1
  for package in $cross_packages; do
    v=$(version_of "$package") || continue
    $apt download "$package:$arch=${v%cross*}" > /dev/null || return 1
  done
  for path in *.deb; do dpkg-deb -x "$path" root || return 1; done
  for path in $compilers; do
    own=$(echo "$path" | sed 's,^/usr/libexec/gcc-cross/,/usr/libexec/gcc/,')
    if [ -f "root$own" ]; then echo "replaces $(sha256sum < "root$own" | cut -c1-64) ${own#/}"; fi
  done > /tmp/replaced
}
if replaced; then
  cat /tmp/replaced >> $facts
else
  echo "The packages for linux/$arch can't be had here: the pack does not name the checksums of what it replaces." >&2
fi
)SHELL";

// Repositories have tags of letters, digits and "._-".
std::string in_tag(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
    out += plain ? std::string(1, c) : fmt::format("_{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

// "14.2.0-19" of "14.2.0-19+b1": the same source, built once more for one platform.
std::string_view without_rebuild(std::string_view version) {
  const auto at = version.rfind("+b");
  if (at == version.npos || at + 2 == version.size()) return version;
  return version.find_first_not_of("0123456789", at + 2) == version.npos ? version.substr(0, at) : version;
}

std::string with_word(std::string text, std::string_view word, std::string_view by) {
  for (auto at = text.find(word); at != text.npos; at = text.find(word, at + by.size())) {
    text.replace(at, word.size(), by);
  }
  return text;
}

}  // namespace

PackFacts parse_pack_facts(std::string_view text) {
  PackFacts facts;
  for (const auto& line : split(text, '\n')) {
    const auto words = split(std::string_view(line), ' ');
    if (words.size() == 2 && words[0] == "platform") facts.platform = words[1];
    if (words.size() == 2 && words[0] == "base") facts.base = words[1];
    if (words.size() != 3) continue;
    if (words[0] == "package") facts.packages.emplace_back(words[1], words[2]);
    if (words[0] == "program") facts.programs[words[2]] = words[1];
    if (words[0] == "replaces") facts.replaces[words[2]] = words[1];
  }
  return facts;
}

std::string pack_tag(const platforms::Platform& host, const platforms::Platform& target, std::string_view base) {
  constexpr std::size_t k_longest = 128;
  if (base.empty()) return "";
  const auto tag = fmt::format("{}-on-{}-{}", target.arch, host.arch, in_tag(without_rebuild(base)));
  return tag.size() <= k_longest ? tag : "";
}

std::string pack_triplet(const platforms::Platform& platform) {
  return platform.os == "linux" && platform.arch == "arm64" ? "aarch64-linux-gnu" : "";
}

std::string pack_dockerfile(const platforms::Platform& platform) {
  const auto triplet = pack_triplet(platform);
  if (triplet.empty() || platform.arch == platforms::host_platform().arch) {
    throw usage_error(fmt::format("there are no compiler packs for {} on a {} host", platforms::to_string(platform),
                                  platforms::to_string(platforms::host_platform())))
        .with_advice("They are made for linux/arm64 on hosts of other architectures.");
  }
  const auto script = with_word(with_word(std::string(k_pack_script), "@TRIPLET@", triplet), "@ARCH@", platform.arch);
  return fmt::format(
      "FROM base AS made\nENV DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8\nUSER 0\nRUN <<'PACK'\n{}PACK\n"
      "FROM scratch AS facts\nCOPY --from=made /pack/{} /facts\n"
      "FROM scratch AS pack\nCOPY --from=made /pack /\n",
      script, k_pack_facts_path);
}

std::map<std::string, std::string> pack_annotations(const PackFacts& facts) {
  const auto lines = [](const auto& pairs, auto&& text) {
    std::string out;
    for (const auto& pair : pairs) out += (out.empty() ? "" : "\n") + text(pair);
    return out;
  };
  const auto digest = [](const auto& pair) { return fmt::format("sha256:{} {}", pair.second, pair.first); };
  std::map<std::string, std::string> out = {
      {std::string(k_pack_tag_annotation),
       pack_tag(platforms::host_platform(), platforms::parse_platform_list(facts.platform).front(), facts.base)},
      {std::string(k_pack_platform_annotation), facts.platform},
      {std::string(k_pack_packages_annotation),
       lines(facts.packages, [](const auto& pair) { return pair.first + " " + pair.second; })},
      {"vnd.mbuild.compiler-pack.programs", lines(facts.programs, digest)}};
  if (!facts.replaces.empty()) out["vnd.mbuild.compiler-pack.replaces"] = lines(facts.replaces, digest);
  return out;
}

bool is_pack_directory(std::string_view place) {
  return place.starts_with('/') || place.starts_with('.') || place.starts_with("oci-layout:");
}

void check_pack_place(const std::string& place) {
  constexpr const char* k_advice = "It is a repository (HOST/NAME, no tag) or the path of a directory (/DIR, ./DIR).";
  if (is_pack_directory(place)) return;
  try {
    const auto reference = frontend::parse_reference(place);
    if (reference.tag.empty() && reference.digest.empty()) return;
  } catch (Error& error) {
    throw std::move(error).with_context("place of compiler packs \"" + place + "\"").with_advice(k_advice);
  }
  throw usage_error(fmt::format("a place of compiler packs has no tag: \"{}\"", place)).with_advice(k_advice);
}

}  // namespace mbuild::executor
