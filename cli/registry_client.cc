#include "cli/registry_client.h"

#include "cli/config/config.h"
#include "cli/config/surroundings.h"

namespace mbuild::cli {

image::GetRegistry RegistryClient::get() {
  return [this]() -> remote::Registry& {
    if (!registry_) {
      remote::RegistryOptions options;
      options.credentials = stored_credentials();
      options.hosts = load_config().registries;
      registry_ = remote::make_http_registry(std::move(options));
    }
    return *registry_;
  };
}

void publish(const image::CombinedIndex& combined, std::span<const image::IndexSource> sources,
             std::span<const image::ImageTarget> targets, const image::GetRegistry& registry,
             const std::stop_token& stop) {
  for (const auto& target : targets) {
    for (const auto& entry : combined.entries) {
      image::copy_content(sources[entry.source].place, entry.descriptor, target, registry, stop);
    }
  }
  for (const auto& target : targets) {
    image::put_top(combined.top.descriptor, combined.top.bytes, target, registry, stop);
  }
}

}  // namespace mbuild::cli
