#include "tests/unit/layers/fixture.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <stdexcept>

#include "layers/layer_tar.h"
#include "layers/remove_tree.h"
#include "layers/tar_format.h"

namespace mbuild::image::test {

Scratch::Scratch() {
  const char* base = ::getenv("TMPDIR");
  path = std::string(base ? base : "/tmp") + "/mbuild-unit-XXXXXX";
  if (!::mkdtemp(path.data())) throw system_error(errno, "mkdtemp");
  fd = open_file(path, O_RDONLY | O_DIRECTORY);
}

Scratch::~Scratch() {
  try {
    remove_tree(AT_FDCWD, path);
  } catch (const Error&) {
  }
}

Tar& Tar::add(std::string_view path, Inode inode, std::string_view content) {
  inode.size = content.size();
  bytes += tar_header(path, inode);
  bytes += content;
  bytes += tar_padding(content.size());
  return *this;
}

Tar& Tar::file(std::string_view path, std::string_view content, unsigned mode) {
  Inode inode;
  inode.mode = mode;
  inode.mtime_sec = 1000;
  return add(path, inode, content);
}

Tar& Tar::dir(std::string_view path, unsigned mode) {
  Inode inode;
  inode.type = FileType::directory;
  inode.mode = mode;
  inode.mtime_sec = 2000;
  return add(path, inode);
}

Tar& Tar::symlink(std::string_view path, std::string_view target) {
  Inode inode;
  inode.type = FileType::symlink;
  inode.mode = 0777;
  inode.link_target = target;
  return add(path, inode);
}

Tar& Tar::hard(std::string_view path, std::string_view target, std::optional<Inode> metadata) {
  Inode inode;
  inode.mode = 0644;
  inode.mtime_sec = 1000;
  if (metadata) inode = *metadata;
  bytes += tar_header(path, inode, target);
  return *this;
}

std::string Tar::end() const { return bytes + std::string(tar_end()); }

OwnerMode owner_mode() {
  // Root of a user namespace may have one id only.
  static const bool real = [] {
    const Fd probe = memory_file("");
    return ::fchown(probe.get(), 3000000, 1) == 0;
  }();
  return real ? OwnerMode::real : OwnerMode::attributes;
}

UnpackResult unpack(std::string_view blob, const Scratch& into, UnpackOptions options) {
  const Fd fd = memory_file(blob);
  options.owners = owner_mode();
  return unpack_layer(fd.get(), "application/vnd.oci.image.layer.v1.tar", into.fd.get(), options);
}

Inode look(const Scratch& in, const std::string& path) { return read_inode(in.fd.get(), path, owner_mode()); }

bool there(const Scratch& in, const std::string& path) {
  struct stat status;
  return ::fstatat(in.fd.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

std::string content(const Scratch& in, const std::string& path) { return read_file(in / path); }

void put(const Scratch& in, const std::string& path, std::string_view content) {
  const Fd fd = open_file(in / path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::fchmod(fd.get(), 0644);
  write_all(fd.get(), content);
}

std::string tar_of(const Scratch& layer, std::vector<std::string> implied) {
  LayerSource source;
  source.directory = layer.fd.get();
  source.implied = std::move(implied);
  source.owners = owner_mode();
  std::string out;
  write_layer_tar(source, [&](std::string_view bytes) { out += bytes; });
  return out;
}

std::string gunzip_one_member(std::string_view bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) throw std::runtime_error("inflateInit2");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out, buffer(1 << 20, '\0');
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    result = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, 0, buffer.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::runtime_error("no valid gzip");
  if (stream.avail_in != 0) throw std::runtime_error("more than one gzip member");
  return out;
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2");
  }
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string pseudo_random(std::size_t size, unsigned seed) {
  std::string out(size, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (char& c : out) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    c = static_cast<char>(state >> 56);
  }
  return out;
}

}  // namespace mbuild::image::test
