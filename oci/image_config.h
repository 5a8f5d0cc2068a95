#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platforms/platform.h"

// The image configuration (OCI image specification, config.md, with the Docker fields Healthcheck, OnBuild, Shell and
// ArgsEscaped).
namespace mbuild::frontend {

struct HealthCheck {
  std::vector<std::string> test;
  std::int64_t interval_ns = 0, timeout_ns = 0, start_period_ns = 0, start_interval_ns = 0;
  std::int64_t retries = 0;
};

struct HistoryEntry {
  std::string created;  // RFC 3339; "" when not known yet
  std::string created_by;
  std::string comment;
  std::string author;
  bool empty_layer = false;
};

struct ImageConfig {
  platforms::Platform platform;
  std::vector<std::string> os_features;
  std::string created;
  std::string author;

  std::string user;
  std::vector<std::string> env;  // "NAME=value", in order
  std::optional<std::vector<std::string>> entrypoint, cmd, shell;
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::vector<std::string> exposed_ports;  // sorted
  std::vector<std::string> volumes;        // sorted
  std::string stop_signal;
  std::optional<HealthCheck> health_check;
  std::vector<std::string> on_build;
  bool args_escaped = false;
  std::map<std::string, std::string> unknown;  // other members of "config": name -> JSON text

  // Members beside those of the specification: name -> JSON text. Not read, so that no image inherits its base's.
  std::map<std::string, std::string> extensions;

  std::vector<std::string> diff_ids;
  std::vector<HistoryEntry> history;
};

// Throws Error (usage) naming what is wrong with the JSON.
ImageConfig parse_image_config(std::string_view json);
// Members in a fixed order, so that equal configurations are equal bytes.
std::string serialise_image_config(const ImageConfig& config);

}  // namespace mbuild::frontend
