#include "graph/source.h"

#include "base/error.h"
#include "base/percent_decode.h"
#include "base/strings.h"

namespace mbuild::graph {
namespace {

constexpr std::string_view k_image = "image://", k_local = "local://", k_git = "git://";

struct Identifier {
  std::string operator()(const ImageSource& image) const { return std::string(k_image) + image.name; }
  std::string operator()(const LocalSource& local) const { return std::string(k_local) + local.name; }
  std::string operator()(const HttpSource& http) const { return http.url; }
  std::string operator()(const GitSource& git) const { return std::string(k_git) + git.place; }
};

void put(SourceAttributes& out, const char* name, const std::string& value) {
  if (!value.empty()) out[name] = value;
}

struct Attributes {
  SourceAttributes operator()(const ImageSource& image) const { return {{"layers", join(image.layers, ",")}}; }
  SourceAttributes operator()(const LocalSource& local) const {
    SourceAttributes out;
    put(out, "exclude", join(local.exclude, "\n"));
    return out;
  }
  SourceAttributes operator()(const HttpSource& http) const {
    SourceAttributes out;
    put(out, "checksum", http.checksum);
    put(out, "filename", http.filename);
    put(out, "mode", http.mode);
    put(out, "uid", http.uid);
    put(out, "gid", http.gid);
    return out;
  }
  SourceAttributes operator()(const GitSource& git) const {
    SourceAttributes out{{"remote", git.remote}};
    put(out, "ref", git.ref);
    put(out, "subdir", git.subdir);
    put(out, "checksum", git.checksum);
    put(out, "mtime", git.mtime);
    if (git.keep_git_dir) out["keep-git-dir"] = "true";
    if (!git.submodules) out["submodules"] = "false";
    if (git.fetch_by_commit) out["fetch-by-commit"] = "true";
    return out;
  }
};

std::vector<std::string> list_of(const std::string& text, char separator) {
  return text.empty() ? std::vector<std::string>() : split(text, separator);
}

}  // namespace

std::string identifier_of(const SourceOp& source) { return std::visit(Identifier(), source); }

SourceAttributes source_attributes(const SourceOp& source) { return std::visit(Attributes(), source); }

SourceOp source_of(const std::string& identifier, const SourceAttributes& attributes) {
  const auto attribute = [&](const char* name) {
    const auto found = attributes.find(name);
    return found == attributes.end() ? std::string() : found->second;
  };
  if (identifier.starts_with(k_image))
    return ImageSource{.name = identifier.substr(k_image.size()), .layers = list_of(attribute("layers"), ',')};
  if (identifier.starts_with(k_local))
    return LocalSource{.name = identifier.substr(k_local.size()), .exclude = list_of(attribute("exclude"), '\n')};
  if (identifier.starts_with(k_git)) {
    return GitSource{.place = identifier.substr(k_git.size()),
                     .remote = attribute("remote"),
                     .ref = attribute("ref"),
                     .subdir = attribute("subdir"),
                     .checksum = attribute("checksum"),
                     .mtime = attribute("mtime"),
                     .keep_git_dir = attribute("keep-git-dir") == "true",
                     .submodules = attribute("submodules") != "false",
                     .fetch_by_commit = attribute("fetch-by-commit") == "true"};
  }
  if (!is_http_address(identifier)) throw Error(ExitClass::internal, identifier + " is no source");
  return HttpSource{.url = identifier,
                    .checksum = attribute("checksum"),
                    .filename = attribute("filename"),
                    .mode = attribute("mode"),
                    .uid = attribute("uid"),
                    .gid = attribute("gid")};
}

bool is_http_address(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

std::string http_file_name(std::string_view address) {
  address = address.substr(0, address.find_first_of("?#"));
  const std::size_t path = address.find('/', address.find("://") + 3);
  if (path == std::string_view::npos) return "__unnamed__";
  const std::string name(base_name(percent_decode(address.substr(path))));
  if (name == "..") return "download";
  return name.empty() || name == "/" || name == "." ? "__unnamed__" : name;
}

}  // namespace mbuild::graph
