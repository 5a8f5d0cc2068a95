#include "image/exporters.h"

#include <unistd.h>

#include <map>

#include "image/oci_layout.h"
#include "layers/tar_reader.h"
#include "tests/catch.h"
#include "tests/unit/layers/fixture.h"
#include "tests/unit/platforms/samples.h"

using namespace mbuild;
using namespace mbuild::image;
using namespace mbuild::image::test;
using Catch::Matchers::Contains;
using mbuild::testing::k_amd64;
using mbuild::testing::k_arm64;

namespace {

// Blobs in memory.
struct Blobs {
  std::map<Digest, std::string> bytes;
  OpenBlob open() {
    return [this](const Digest& digest) { return memory_file(bytes.at(digest)); };
  }
};

FinishedImage image_for(Blobs& blobs, const platforms::Platform& platform, MediaFlavour flavour = MediaFlavour::oci) {
  const std::string tar = Tar().file("arch", platform.arch).end();
  const Descriptor layer = describe(media_type::k_oci_layer, tar);
  blobs.bytes[layer.digest] = tar;
  frontend::ImageConfig config;
  config.env = {"A=b"};
  config.diff_ids = {sha256(tar)};
  return assemble_image(config, {layer}, platform, flavour);
}

const platforms::Platform k_arm_v7{"linux", "arm", "v7", ""};

std::map<std::string, std::string> files_in_tar(const std::string& text) {
  bool given = false;
  TarReader reader([&]() -> std::string_view { return std::exchange(given, true) ? "" : std::string_view(text); });
  std::map<std::string, std::string> files;
  for (TarEntry entry; reader.next(entry);) {
    for (TarPiece piece = reader.content(); !piece.bytes.empty(); piece = reader.content()) {
      files[entry.path] += piece.bytes;
    }
  }
  return files;
}

template <typename Write>
std::string written(Write write) {
  const Fd fd = memory_file("");
  write(fd.get());
  ::lseek(fd.get(), 0, SEEK_SET);
  return read_all(fd.get());
}

ExportTree tree_of(const Scratch& scratch, const platforms::Platform& platform, std::string subdirectory = "") {
  return {platform, std::move(subdirectory), scratch.fd.get(), owner_mode(), std::nullopt};
}

}  // namespace

TEST_CASE("an exported layout reads back, tag and platform chosen") {
  Blobs blobs;
  const Scratch directory;
  ImageSet set;
  set.images = {image_for(blobs, k_amd64), image_for(blobs, k_arm_v7)};
  set.names = {"docker.io/library/app:v1"};
  const Descriptor top = write_oci_directory(set, directory / "layout", blobs.open());
  CHECK(top.media_type == media_type::k_oci_index);

  const LayoutReference reference = parse_layout_reference("oci-layout://" + (directory / "layout:v1"));
  const ImageDescription image = read_layout_image(reference, k_arm_v7);
  CHECK(image.manifest_digest == set.images[1].manifest.digest);
  CHECK(image.config_bytes == set.images[1].config_bytes);
  CHECK(resolve_layout(parse_layout_reference(directory / "layout@" + top.digest)).digest == top.digest);
  // A manifest inside the index, by its digest.
  CHECK(resolve_layout(parse_layout_reference(directory / "layout@" + image.manifest_digest)).digest ==
        image.manifest_digest);
}

TEST_CASE("what a layout lacks is an error that lists what it has") {
  Blobs blobs;
  const Scratch directory;
  ImageSet set;
  set.images = {image_for(blobs, k_amd64)};
  set.names = {"docker.io/library/app:v1", "docker.io/library/app:v2"};
  write_oci_directory(set, directory.path, blobs.open());
  const auto read = [&](const std::string& suffix, const platforms::Platform& platform) {
    return error_of([&] { read_layout_image(parse_layout_reference(directory.path + suffix), platform); });
  };
  CHECK_THAT(read(":v3", k_amd64), Contains("no image tagged v3") && Contains("v1, v2"));
  CHECK_THAT(read(":v1", k_arm64), Contains("no image for linux/arm64") && Contains("there is: linux/amd64"));
  CHECK_THAT(read("@" + sha256("no"), k_amd64), Contains(sha256("no")));
  CHECK_THAT(error_of([&] { resolve_layout({directory / "none", "", ""}); }), Contains("no OCI layout"));
  CHECK(read(":v2", k_amd64).empty());
}

TEST_CASE("the only image of a layout needs no tag") {
  Blobs blobs;
  const Scratch directory;
  ImageSet set;
  set.images = {image_for(blobs, k_amd64)};
  write_oci_directory(set, directory.path, blobs.open());
  CHECK(read_layout_image({directory.path, "", ""}, k_amd64).manifest_digest == set.images[0].manifest.digest);
}

TEST_CASE("a second export into a layout replaces its tag and keeps the others") {
  Blobs blobs;
  const Scratch directory;
  ImageSet one, two;
  one.images = {image_for(blobs, k_amd64)};
  one.names = {"docker.io/library/app:v1", "docker.io/library/app:keep"};
  two.images = {image_for(blobs, k_arm64)};
  two.names = {"docker.io/library/app:v1"};
  write_oci_directory(one, directory.path, blobs.open());
  write_oci_directory(two, directory.path, blobs.open());
  CHECK(resolve_layout({directory.path, "v1", ""}).digest == two.images[0].manifest.digest);
  CHECK(resolve_layout({directory.path, "keep", ""}).digest == one.images[0].manifest.digest);
  CHECK(parse_index(read_file(directory / "index.json")).manifests.size() == 2);
}

TEST_CASE("a damaged blob is noticed, in a layout and in an export") {
  Blobs blobs;
  const Scratch directory;
  ImageSet set;
  set.images = {image_for(blobs, k_amd64)};
  write_oci_directory(set, directory.path, blobs.open());
  const std::string blob = directory.path + "/blobs/sha256/" + std::string(digest_hex(set.images[0].manifest.digest));
  std::string bytes = read_file(blob);
  bytes[10] ^= 1;
  write_file_atomically(blob, bytes);
  CHECK_THAT(error_of([&] { read_layout_image({directory.path, "", ""}, k_amd64); }), Contains("damaged"));

  for (auto& [digest, text] : blobs.bytes) text[0] ^= 1;
  const Scratch other;
  CHECK_THAT(error_of([&] { write_oci_directory(set, other.path, blobs.open()); }), Contains("damaged"));
  CHECK_THAT(error_of([&] { written([&](int fd) { LayoutTar(fd).finish(set, blobs.open()); }); }), Contains("damaged"));
}

TEST_CASE("an OCI tar names the image as buildx does") {
  Blobs blobs;
  ImageSet set;
  set.images = {image_for(blobs, k_amd64)};
  set.names = {"example.org/team/app:v1"};
  set.created = "2020-01-01T00:00:00Z";
  auto files = files_in_tar(written([&](int fd) { LayoutTar(fd).finish(set, blobs.open()); }));
  CHECK(files["oci-layout"] == R"({"imageLayoutVersion":"1.0.0"})");
  const Index index = parse_index(files["index.json"]);
  REQUIRE(index.manifests.size() == 1);
  const auto& annotations = index.manifests[0].annotations;
  CHECK(annotations.at("org.opencontainers.image.ref.name") == "v1");
  CHECK(annotations.at("io.containerd.image.name") == "example.org/team/app:v1");
  CHECK(annotations.at("org.opencontainers.image.created") == "2020-01-01T00:00:00Z");
  CHECK(index.manifests[0].media_type == media_type::k_oci_manifest);
  for (const auto& [path, bytes] : files) {
    if (path.starts_with("blobs/sha256/")) CHECK(path.substr(13) == digest_hex(sha256(bytes)));
  }
}

TEST_CASE("a tar is the same, whether its layers were added while they were made, or all at the end") {
  Blobs blobs;
  ImageSet set;
  set.images = {image_for(blobs, k_amd64), image_for(blobs, k_arm64)};
  const auto open = blobs.open();
  const auto whole = written([&](int fd) { LayoutTar(fd).finish(set, open); });
  const Descriptor first = set.images[0].layers[0], second = set.images[1].layers[0];
  const auto copy = [&](const Descriptor& blob) {
    return [&, blob](int fd) {
      write_all(fd, blobs.bytes.at(blob.digest));
      return blob;
    };
  };
  CHECK(whole == written([&](int fd) {
          LayoutTar tar(fd);
          tar.add_growing(copy(first), open);
          tar.add({second}, open);
          tar.finish(set, open);
        }));
  CHECK(whole == written([&](int fd) {  // two steps that made the same layer
          LayoutTar tar(fd);
          tar.add({first}, open);
          tar.add_growing(copy(first), open);
          tar.add_growing(copy(second), open);
          tar.add_growing(copy(second), open);
          tar.finish(set, open);
        }));
  set.images.pop_back();
  CHECK(written([&](int fd) { LayoutTar(fd).finish_for_docker(set, open); }) == written([&](int fd) {
          LayoutTar tar(fd);
          tar.add_growing(copy(first), open);
          tar.finish_for_docker(set, open);
        }));
}

TEST_CASE("a docker tar has a manifest.json and one platform only") {
  Blobs blobs;
  ImageSet set;
  set.images = {image_for(blobs, k_amd64)};
  set.names = {"docker.io/library/app:v1"};
  FinishedImage attestation = image_for(blobs, {"unknown", "unknown", "", ""});
  set.images.push_back(attestation);
  auto files = files_in_tar(written([&](int fd) { LayoutTar(fd).finish_for_docker(set, blobs.open()); }));
  CHECK_THAT(files["manifest.json"], Contains(R"("RepoTags":["app:v1"])"));
  CHECK_THAT(files["manifest.json"], Contains(std::string(digest_hex(set.images[0].config.digest))));
  CHECK(parse_index(files["index.json"]).manifests[0].digest == set.images[0].manifest.digest);
  set.images.push_back(image_for(blobs, k_arm64));
  CHECK_THAT(error_of([&] { written([&](int fd) { LayoutTar(fd).finish_for_docker(set, blobs.open()); }); }),
             Contains("docker exporter does not currently support exporting manifest lists"));
}

TEST_CASE("Docker's media types throughout") {
  Blobs blobs;
  ImageSet set;
  set.flavour = MediaFlavour::docker;
  set.images = {image_for(blobs, k_amd64, MediaFlavour::docker), image_for(blobs, k_arm64, MediaFlavour::docker)};
  const Manifest manifest = parse_manifest(set.images[0].manifest_bytes);
  CHECK(manifest.media_type == media_type::k_docker_manifest);
  CHECK(manifest.config.media_type == media_type::k_docker_config);
  CHECK(manifest.layers[0].media_type == media_type::k_docker_layer);
  CHECK(top_level(set).descriptor.media_type == media_type::k_docker_index);
}

TEST_CASE("layers and diff ids must correspond") {
  CHECK_THROWS_AS(assemble_image({}, {describe(media_type::k_oci_layer, "x")}, k_amd64, MediaFlavour::oci), Error);
}

TEST_CASE("a local export copies the tree") {
  const Scratch tree, destination;
  Inode inode;
  inode.mode = 04755;
  inode.uid = 5;
  inode.mtime_sec = 1234567890;
  unpack(Tar().dir("d", 0555).add("d/s", inode, "run").hard("d/h", "d/s", inode).symlink("d/l", "s").end(), tree);
  put(destination, "kept", "k");
  ::symlink("/nowhere", (destination / "d").c_str());
  const ExportTree trees[] = {tree_of(tree, k_amd64)};
  export_local(trees, destination.path);
  export_local(trees, destination.path);  // again, over read-only directories
  CHECK(content(destination, "d/s") == "run");
  CHECK(content(destination, "kept") == "k");
  const Inode found = read_inode(destination.fd.get(), "d/s");
  CHECK(found.mode == 04755);
  CHECK(found.uid == ::geteuid());
  CHECK(found.mtime_sec == 1234567890);
  CHECK(found.link_count == 2);
  CHECK(look(destination, "d").mode == 0555);
  CHECK(look(destination, "d").mtime_sec == 2000);
  CHECK(look(destination, "d/l").link_target == "s");
}

TEST_CASE("mode=delete removes what is not exported") {
  const Scratch tree, destination;
  unpack(Tar().dir("d").file("d/new", "n").end(), tree);
  make_directories(destination / "d/old/deep");
  put(destination, "d/old/f", "x");
  put(destination, "other", "x");
  const ExportTree trees[] = {tree_of(tree, k_amd64)};
  export_local(trees, destination.path, LocalMode::remove);
  CHECK(there(destination, "d/new"));
  CHECK_FALSE(there(destination, "d/old"));
  CHECK_FALSE(there(destination, "other"));
}

TEST_CASE("platforms get directories, or collide") {
  const Scratch one, two, destination;
  unpack(Tar().dir("d").file("d/same", "1").end(), one);
  unpack(Tar().dir("d").file("d/same", "2").end(), two);
  CHECK(platform_directory(k_arm_v7) == "linux_arm_v7");
  const ExportTree split[] = {tree_of(one, k_amd64, "linux_amd64"), tree_of(two, k_arm_v7, "linux_arm_v7")};
  export_local(split, destination.path);
  CHECK(content(destination, "linux_amd64/d/same") == "1");
  CHECK(content(destination, "linux_arm_v7/d/same") == "2");
  CHECK(look(destination, "linux_amd64").mode == 0755);
  const ExportTree merged[] = {tree_of(one, k_amd64), tree_of(two, k_arm_v7)};
  CHECK_THAT(error_of([&] { export_local(merged, destination.path); }),
             Contains("cannot overwrite d/same from linux/amd64 with linux/arm/v7 when split option is disabled"));
  auto files = files_in_tar(written([&](int fd) { export_tar(split, fd); }));
  CHECK(files["linux_arm_v7/d/same"] == "2");
}

TEST_CASE("a tar export keeps owners") {
  const Scratch tree, again;
  Inode inode;
  inode.mode = 0640;
  inode.uid = 5;
  inode.gid = 6;
  unpack(Tar().add("f", inode, "f").end(), tree);
  const ExportTree trees[] = {tree_of(tree, k_amd64)};
  unpack(written([&](int fd) { export_tar(trees, fd); }), again);
  CHECK(look(again, "f").uid == 5);
  CHECK(look(again, "f").gid == 6);
  CHECK(look(again, "f").mode == 0640);
}
