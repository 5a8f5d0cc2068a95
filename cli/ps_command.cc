#include "cli/ps_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "cli/config/store_root.h"
#include "cli/container_json.h"
#include "cli/container_parts.h"
#include "cli/display/columns.h"
#include "cli/display/listing.h"
#include "cli/display/terminal.h"
#include "cli/filters.h"
#include "containers/option_values.h"
#include "containers/ports.h"
#include "containers/run.h"
#include "oci/reference.h"

// ps: which containers there are.
namespace mbuild::cli {
namespace {

using containers::Container;
using containers::State;
using nlohmann::ordered_json;

struct PsFlags {
  std::string root, format, last;
  std::vector<std::string> filters;
  bool all = false, quiet = false, whole = false, latest = false, size = false;
};

const Listing& ps_listing(bool size) {
  static const std::vector<Listing::Field> fields = {{"Command", "COMMAND"},
                                                     {"CreatedAt", "CREATED AT"},
                                                     {"ID", "CONTAINER ID"},
                                                     {"Image", "IMAGE"},
                                                     {"Labels", "LABELS"},
                                                     {"Label", ""},
                                                     {"LocalVolumes", "LOCAL VOLUMES"},
                                                     {"Mounts", "MOUNTS"},
                                                     {"Names", "NAMES"},
                                                     {"Networks", "NETWORKS"},
                                                     {"Platform", "PLATFORM"},
                                                     {"Ports", "PORTS"},
                                                     {"RunningFor", "CREATED"},
                                                     {"Size", "SIZE"},
                                                     {"State", "STATE"},
                                                     {"Status", "STATUS"}};
  static const std::string columns =
      "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";
  static const Listing plain{.fields = fields, .table = columns, .quiet = "ID"};
  static const Listing with_size{.fields = fields, .table = columns + "\t{{.Size}}", .quiet = "ID"};
  return size ? with_size : plain;
}

std::string command_text(const Container& container, const ContainerConfig& config, bool whole) {
  constexpr std::size_t k_short_command = 20;
  const auto words = container.running ? container.running->argv : config.argv;
  const auto text = join(words, " ");
  return fmt::format("\"{}\"", whole ? text : fit_columns(clean_line(text), k_short_command));
}

std::string ports_text(const Container& container) {
  std::vector<std::string> out;
  if (container.state != State::running) return "";
  for (const auto& port : containers::ports_of(container)) out.push_back(containers::to_string(port));
  return join(out, ", ");
}

std::string mounts_text(const Container& container, bool whole) {
  constexpr std::size_t k_short_mount = 15;
  std::vector<std::string> out;
  for (const auto& bind : containers::binds_of(container)) {
    const auto& text = bind.volume.empty() ? bind.source : bind.volume;
    out.push_back(whole ? text : fit_columns(clean_line(text), k_short_mount));
  }
  return join(out, ",");
}

ordered_json row_of(const Container& container, const PsFlags& flags, bool size) {
  const auto now = unix_seconds();
  const auto& record = container.record;
  const auto config = config_of_container(container);
  auto labels = ordered_json::object();
  for (const auto& [name, value] : config.image.labels) labels[name] = value;
  const auto binds = containers::binds_of(container);
  const auto volumes = std::ranges::count_if(binds, [](const auto& bind) { return !bind.volume.empty(); });
  return {{"Command", command_text(container, config, flags.whole)},
          {"CreatedAt", rfc3339(record.created)},
          {"ID", flags.whole ? record.id : record.id.substr(0, k_short_id)},
          {"Image", record.options.image},
          {"Labels", label_text(config.image.labels)},
          {"Label", labels},
          {"LocalVolumes", std::to_string(volumes)},
          {"Mounts", mounts_text(container, flags.whole)},
          {"Names", record.name},
          {"Networks", network_text(record.options.network)},
          {"Platform", platforms::to_string(record.options.platform.value_or(platforms::host_platform()))},
          {"Ports", ports_text(container)},
          {"RunningFor", containers::ago(now - record.created) + " ago"},
          {"Size", size ? sizes_text(container) : ""},
          {"State", state_name(container.state)},
          {"Status", containers::status_text(container, now)}};
}

// ---- filters

using Test = std::function<bool(const Container&)>;

std::regex pattern_of(const std::string& filter, const std::string& text) {
  try {
    return std::regex(text);
  } catch (const std::regex_error& error) {
    throw usage_error(fmt::format("invalid filter \"{}={}\": {}", filter, text, error.what()));
  }
}

Test has_name(const std::string& text) {
  // docker's names begin with a slash: "^/web$" means the same as "^web$".
  return [pattern = pattern_of("name", text)](const Container& container) {
    const auto& name = container.record.name;
    return std::regex_search(name, pattern) || std::regex_search("/" + name, pattern);
  };
}

Test has_status(const std::string& text) {
  const std::vector<std::string> known = {"created", "running", "restarting", "exited", "dead", "paused", "removing"};
  check_filter_value("status", text, known);
  return [text](const Container& container) { return text == state_name(container.state); };
}

Test has_exited(const std::string& text) {
  int status = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), status);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    throw usage_error(fmt::format("invalid filter \"exited={}\"", text)).with_advice("It is an exit status: exited=1.");
  }
  return [status](const Container& container) {
    return container.state == State::exited && container.ended->status == status;
  };
}

// Without what a name may leave out.
std::string whole_name(const std::string& name) {
  try {
    return frontend::to_string(frontend::with_default_tag(frontend::parse_reference(name)));
  } catch (const Error&) {
    return name;
  }
}

Test has_ancestor(const std::string& text) {
  return [text, name = whole_name(text)](const Container& container) {
    const auto& image = container.record.options.image;
    if (image == text || whole_name(image) == name) return true;
    const auto digest = image_digest_of(container);
    constexpr std::string_view k_kind = "sha256:";
    return !text.empty() && !digest.empty() &&
           (digest.starts_with(text) || digest.substr(k_kind.size()).starts_with(text));
  };
}

Test has_volume(const std::string& text) {
  return [text](const Container& container) {
    return std::ranges::any_of(containers::binds_of(container), [&](const auto& bind) {
      return bind.volume == text || bind.target == text || bind.source == text;
    });
  };
}

// "80", "80/udp", "8000-8010": as of --expose.
std::function<bool(unsigned port, bool udp)> ports_test(const std::string& text) {
  const auto wanted = containers::parse_expose(text);
  return [wanted](unsigned port, bool udp) {
    return std::ranges::find(wanted, fmt::format("{}/{}", port, udp ? "udp" : "tcp")) != wanted.end();
  };
}

Test has_published(const std::string& text) {
  return [is_meant = ports_test(text)](const Container& container) {
    return std::ranges::any_of(containers::ports_of(container),
                               [&](const auto& port) { return is_meant(port.host, port.udp); });
  };
}

Test has_exposed(const std::string& text) {
  const auto wanted = containers::parse_expose(text);
  return [wanted](const Container& container) {
    const auto exposed = config_of_container(container).image.exposed_ports;
    return std::ranges::any_of(wanted,
                               [&](const auto& port) { return std::ranges::find(exposed, port) != exposed.end(); });
  };
}

Test has_health(const std::string& text) {
  const std::vector<std::string> known = {"none", "starting", "healthy", "unhealthy"};
  check_filter_value("health", text, known);
  return [text](const Container& container) {
    const auto& health = container.health;
    return text == (health.empty() ? "none" : health.substr(0, health.find('\n')));
  };
}

// Those that were made before or after one.
std::function<Test(const std::string&)> made(const containers::Shelf& shelf, bool before) {
  return [&shelf, before](const std::string& word) -> Test {
    const auto place = [](const Container& container) {
      return std::pair(container.record.created_ns, container.record.id);
    };
    return [other = place(shelf.find(word)), before, place](const Container& container) {
      return before ? place(container) < other : place(container) > other;
    };
  };
}

std::vector<Filter<Container>> ps_filters(const containers::Shelf& shelf) {
  return {
      {"id",
       [](const std::string& text) -> Test {
         return [pattern = pattern_of("id", text)](const Container& one) {
           return std::regex_search(one.record.id, pattern);
         };
       }},
      {"name", has_name},
      {"status", has_status},
      {"label",
       [](const std::string& text) -> Test {
         return [text](const Container& one) { return has_label(config_of_container(one).image.labels, text); };
       },
       true},
      {"ancestor", has_ancestor},
      {"exited", has_exited},
      {"volume", has_volume},
      {"network",
       [](const std::string& text) -> Test {
         return [text](const Container& one) { return network_text(one.record.options.network) == text; };
       }},
      {"publish", has_published},
      {"expose", has_exposed},
      {"health", has_health},
      {"before", made(shelf, true)},
      {"since", made(shelf, false)},
  };
}

// ---- the command

// How many of the newest, be they over or not; none: those that run.
std::optional<std::uint64_t> newest(const PsFlags& flags) {
  if (flags.latest) return 1;
  const auto count = containers::parse_count("--last", flags.last);
  return count > 0 ? std::optional(count) : std::nullopt;
}

int list_containers(const PsFlags& flags) {
  const auto shelf = containers::shelf_of(store_root(flags.root));
  const auto is_meant = parse_filters(flags.filters, ps_filters(shelf));
  const bool by_status =
      std::ranges::any_of(flags.filters, [](const auto& text) { return text.starts_with("status="); });
  const auto most = newest(flags);
  const bool size = flags.size || flags.format.find(".Size") != std::string::npos;
  std::vector<ordered_json> rows;
  for (const auto& container : shelf.list()) {
    if (!flags.all && !most && !by_status && !lives(container)) continue;
    if (most && rows.size() == *most) break;
    if (is_meant(container)) rows.push_back(row_of(container, flags, size));
  }
  write_out(listing_text(ps_listing(flags.size), rows, {.format = flags.format, .quiet = flags.quiet}));
  return 0;
}

}  // namespace

Command add_ps_command(Command& parent, const char* name, const char* alias) {
  const auto flags = std::make_shared<PsFlags>();
  return add_store_command(parent, flags, name, "List the containers that run", list_containers, alias)
      .flag("-a,--all", flags->all, "Those that have ended, too")
      .values("-f,--filter", flags->filters, "Those alone: status=exited, name=web, label=a=b, ...")
      .value("--format", flags->format, "table, json or a template ({{.Names}}), also as \"table TEMPLATE\"")
      .value("-n,--last", flags->last, "So many of the newest, those that have ended, too")
      .flag("-l,--latest", flags->latest, "The newest one alone")
      .flag("--no-trunc", flags->whole, "Whole ids and commands")
      .flag("-q,--quiet", flags->quiet, "Ids only")
      .flag("-s,--size", flags->size, "With what they have written");
}

}  // namespace mbuild::cli
