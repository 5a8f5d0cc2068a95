#include "cli/config/config_registry.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strings.h"
#include "cli/config/config_section.h"
#include "oci/reference.h"
#include "remote/url.h"

namespace mbuild::cli {
namespace {

// The host as references have it.
std::string registry_host(const std::string& name) {
  try {
    const auto reference = frontend::parse_reference(name + "/repository/name");
    if (reference.path == "repository/name") return reference.domain;
  } catch (const Error&) {
  }
  throw usage_error(fmt::format("\"{}\" is no registry: write [registry.\"host\"] or [registry.\"host:port\"]", name));
}

void check_mirror(const std::string& mirror) {
  const auto url = remote::parse_url(mirror.find("://") == std::string::npos ? "https://" + mirror : mirror);
  const bool usable = url && (url->scheme == "https" || url->scheme == "http") && !url->host.empty() &&
                      url->user_info.empty() && !url->query && !url->fragment;
  if (!usable) throw usage_error(fmt::format("\"{}\" is no address of a registry: write \"https://host\"", mirror));
}

void read_file_name(Section& section, std::string_view key, const std::string& path, std::string& into) {
  std::string name;
  section.text(key, name);
  section.check(key, [&] {
    if (name.empty()) throw usage_error("the name of a file is expected");
    into = name.starts_with('/') ? name : path.substr(0, path.rfind('/') + 1) + name;  // npos + 1 is 0
    if (!path_exists(into)) throw usage_error(fmt::format("there is no file {}", into));
  });
}

void read_host(Section& section, const std::string& path, remote::RegistryHost& host) {
  section.flag("insecure", host.insecure);
  section.flag("plain-http", host.plain_http);
  section.texts("mirrors", host.mirrors);
  section.check("mirrors", [&] {
    for (const auto& mirror : host.mirrors) check_mirror(mirror);
  });
  read_file_name(section, "ca", path, host.ca_file);
  read_file_name(section, "client-cert", path, host.client_certificate);
  read_file_name(section, "client-key", path, host.client_key);
  std::string chunk_size;
  section.text("chunk-size", chunk_size);
  section.check("chunk-size", [&] { host.chunk_size = parse_size(chunk_size); });
  section.check("client-key", [&] {
    if (host.client_certificate.empty()) throw usage_error("it needs client-cert");
  });
}

}  // namespace

void read_registries(Section& section, const std::string& path, remote::RegistryHosts& registries) {
  read_host(section, path, registries.others);
  section.tables([&](const std::string& name, Section& below) {
    std::string registry;
    section.check(name, [&] { registry = registry_host(name); });
    remote::RegistryHost host = registries.others;
    read_host(below, path, host);
    registries.hosts[registry] = std::move(host);
  });
}

}  // namespace mbuild::cli
