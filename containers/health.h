#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "containers/options.h"
#include "containers/shelf.h"
#include "oci/image_config.h"

// Whether the program of a container does its work, by what a command in it says.
namespace mbuild::containers {

// The image's HEALTHCHECK with what the user says in its place, and the usual figures where nobody says any; nothing
// where there is none.
std::optional<frontend::HealthCheck> health_check_of(const frontend::ImageConfig& image, const HealthOptions& options);

// What the answers so far mean.
class HealthState {
 public:
  explicit HealthState(const frontend::HealthCheck& check) : check_(check) {}
  // `age`: nanoseconds since the container was started. True where the state is another one now.
  bool answered(bool well, std::int64_t age);
  const std::string& status() const { return status_; }
  std::int64_t failures() const { return failures_; }  // one after the other
  // Nanoseconds until the next look.
  std::int64_t pause(std::int64_t age) const;

 private:
  const frontend::HealthCheck check_;
  std::string status_ = "starting";
  std::int64_t failures_ = 0;
};

// Looks again and again until `stop`, and writes down what it finds. `container` is one that runs, with a process that
// serves requests.
void watch_health(const Container& container, const frontend::HealthCheck& check, const std::stop_token& stop);

}  // namespace mbuild::containers
