#include "containers/option_values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "containers/volumes.h"
#include "frontend/dockerfile/duration.h"

namespace mbuild::containers {
namespace {

Error invalid(std::string_view flag, const std::string& text, std::string_view why) {
  return usage_error(fmt::format("invalid {} \"{}\": {}", flag, text, why));
}

const std::string& checked_target(const std::string& target, std::string_view flag, const std::string& text) {
  if (!target.starts_with('/'))
    throw invalid(flag, text, fmt::format("\"{}\" is no absolute path in the container", target));
  if (clean_path(target) == "/") throw invalid(flag, text, "nothing can be mounted in the place of the root directory");
  return target;
}

std::string host_path(const std::string& source, const std::string& directory) {
  return clean_path(source.starts_with('/') ? source : join_path(directory, source));
}

bool truth(const std::string& value, std::string_view flag, const std::string& text) {
  if (value.empty() || value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  throw invalid(flag, text, fmt::format("\"{}\" is neither true nor false", value));
}

HostBind anonymous_volume(std::string target, bool read_only) {
  return {.source = {},
          .target = std::move(target),
          .read_only = read_only,
          .make_source = false,
          .volume = anonymous_volume_name(),
          .anonymous = true};
}

// Without what they begin and end with in files of other systems; "" for a comment.
std::vector<std::string> lines_of_file(std::string_view text) {
  constexpr std::string_view k_mark = "\xEF\xBB\xBF";
  if (text.starts_with(k_mark)) text.remove_prefix(k_mark.size());
  auto out = split(text, '\n');
  for (auto& line : out) {
    if (line.ends_with('\r')) line.pop_back();
    line.erase(0, std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.starts_with('#')) line.clear();
  }
  return out;
}

}  // namespace

HostBind parse_volume(const std::string& text, const std::string& directory) {
  const auto fields = split(text, ':');
  if (fields.size() > 3) throw invalid("-v", text, "it is HOST:DIR, NAME:DIR or DIR, and :ro may follow");
  if (fields.size() == 1) return anonymous_volume(clean_path(checked_target(text, "-v", text)), false);
  const std::string target = clean_path(checked_target(fields[1], "-v", text));
  HostBind out;
  if (fields[0].starts_with('/') || fields[0].starts_with('.')) {
    out = {.source = host_path(fields[0], directory), .target = target, .read_only = false, .make_source = true};
  } else {
    check_volume_name(fields[0]);
    out = {.source = {}, .target = target, .read_only = false, .make_source = false, .volume = fields[0]};
  }
  for (const auto& option : fields.size() == 3 ? split(fields[2], ',') : std::vector<std::string>()) {
    if (option == "ro") {
      out.read_only = true;
    } else if (option != "rw" && option != "z" && option != "Z" && option != "rprivate" && option != "private") {
      throw invalid("-v", text, fmt::format("unknown option \"{}\"", option)).with_advice("Options are ro and rw.");
    }
  }
  return out;
}

void parse_mount(const std::string& text, const std::string& directory, Options& into) {
  std::string type = "volume", source, target, size;
  bool read_only = false;
  for (const auto& field : split_csv(text)) {
    const auto equals = field.find('=');
    const std::string key = to_lower(field.substr(0, equals));
    const std::string value = equals == std::string::npos ? "" : field.substr(equals + 1);
    if (key == "type") {
      type = value;
    } else if (key == "src" || key == "source") {
      source = value;
    } else if (key == "dst" || key == "target" || key == "destination") {
      target = value;
    } else if (key == "readonly" || key == "ro") {
      read_only = truth(value, "--mount", text);
    } else if (key == "tmpfs-size") {
      size = value;
    } else {
      throw invalid("--mount", text, fmt::format("unknown key \"{}\"", key))
          .with_advice("Keys are type, src, dst, readonly and tmpfs-size.");
    }
  }
  checked_target(target, "--mount", text);
  if (type == "bind") {
    if (source.empty()) throw invalid("--mount", text, "a bind needs src");
    into.binds.push_back({host_path(source, directory), clean_path(target), read_only, false});
  } else if (type == "volume" && source.empty()) {
    into.binds.push_back(anonymous_volume(clean_path(target), read_only));
  } else if (type == "volume") {
    check_volume_name(source);
    into.binds.push_back({"", clean_path(target), read_only, false, source});
  } else if (type == "tmpfs") {
    into.memory.push_back({clean_path(target), size.empty() ? 0 : parse_size(size), read_only});
  } else {
    throw invalid("--mount", text, fmt::format("there are no mounts of type \"{}\"", type))
        .with_advice("Types are bind, volume and tmpfs.");
  }
}

void check_mount_points(const Options& options) {
  std::set<std::string> seen;
  const auto check = [&](const std::string& target) {
    if (seen.insert(target).second) return;
    throw usage_error("Duplicate mount point: " + target)
        .with_advice("Only one of -v, --mount and --tmpfs can be there.");
  };
  for (const auto& bind : options.binds) check(bind.target);
  for (const auto& memory : options.memory) check(memory.target);
}

MemoryMount parse_tmpfs(const std::string& text) {
  const auto colon = text.find(':');
  MemoryMount out{.target = clean_path(checked_target(text.substr(0, colon), "--tmpfs", text))};
  if (colon == std::string::npos) return out;
  for (const auto& option : split(text.substr(colon + 1), ',')) {
    if (option.starts_with("size=")) {
      out.size = parse_size(option.substr(5));
    } else if (option == "ro") {
      out.read_only = true;
    } else if (option != "rw" && option != "nosuid" && option != "nodev" && option != "exec" && option != "mode=1777") {
      throw invalid("--tmpfs", text, fmt::format("unknown option \"{}\"", option))
          .with_advice("Options are size=N, ro and rw.");
    }
  }
  return out;
}

Pull parse_pull(const std::string& text) {
  if (text == "always") return Pull::always;
  if (text == "missing") return Pull::missing;
  if (text == "never") return Pull::never;
  throw usage_error(fmt::format("invalid --pull \"{}\"", text)).with_advice("It is always, missing or never.");
}

std::uint64_t parse_count(const std::string& flag, const std::string& text) {
  if (text.empty() || text == "-1") return 0;
  std::uint64_t out = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && out > 0) return out;
  throw invalid(flag, text, "it is a number from 1 on");
}

Restart parse_restart(const std::string& text) {
  if (text.empty() || text == "no") return {};
  if (text == "always" || text == "unless-stopped") return {.when = Restart::When::always};
  if (text == "on-failure") return {.when = Restart::When::on_failure};
  constexpr std::string_view k_counted = "on-failure:";
  if (text.size() > k_counted.size() && text.starts_with(k_counted)) {
    return {.when = Restart::When::on_failure, .attempts = parse_count("--restart", text.substr(k_counted.size()))};
  }
  throw invalid("--restart", text, "there is no such policy")
      .with_advice("It is no, on-failure[:N], always or unless-stopped.");
}

std::optional<std::int64_t> parse_stop_timeout(const std::string& flag, const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::int64_t out = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) return out;
  throw invalid(flag, text, "it is a number of seconds; -1 waits on");
}

std::vector<std::string> parse_expose(const std::string& text) {
  const auto slash = text.find('/');
  const std::string protocol = slash == std::string::npos ? "tcp" : to_lower(text.substr(slash + 1));
  const std::string range = text.substr(0, slash);
  const auto dash = range.find('-');
  const auto number = [&](const std::string& word) {
    unsigned out = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), out);
    const bool fits = parsed.ec == std::errc() && parsed.ptr == word.data() + word.size() && out > 0 && out < 65536;
    if (!fits) throw invalid("--expose", text, "it is PORT[/udp] or PORT-PORT");
    return out;
  };
  const unsigned first = number(range.substr(0, dash));
  const unsigned last = dash == std::string::npos ? first : number(range.substr(dash + 1));
  if (protocol != "tcp" && protocol != "udp") throw invalid("--expose", text, "protocols are tcp and udp");
  if (last < first) throw invalid("--expose", text, "the last port comes before the first one");
  std::vector<std::string> out;
  for (unsigned port = first; port <= last; ++port) out.push_back(fmt::format("{}/{}", port, protocol));
  return out;
}

std::string parse_name_server(const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  const std::string address(text.substr(0, text.find('%')));
  if (::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, address.c_str(), bytes) == 1) return text;
  throw invalid("--dns", text, "it is the address of a name server");
}

void add_label(const std::string& text, std::vector<std::pair<std::string, std::string>>& into) {
  const auto equals = text.find('=');
  const std::string name = text.substr(0, equals);
  if (name.empty()) throw invalid("--label", text, "it is NAME or NAME=VALUE");
  std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
  const auto same = std::ranges::find(into, name, &std::pair<std::string, std::string>::first);
  if (same != into.end()) {
    same->second = std::move(value);
  } else {
    into.emplace_back(name, std::move(value));
  }
}

void add_labels_of_file(std::string_view text, std::vector<std::pair<std::string, std::string>>& into) {
  for (const auto& line : lines_of_file(text)) {
    if (!line.empty()) add_label(line, into);
  }
}

std::uint64_t parse_cpus(const std::string& text) {
  if (text.empty()) return 0;
  double out = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  const bool fits = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && out >= 0.01 && out < 1e6;
  if (fits) return static_cast<std::uint64_t>(out * 1000 + 0.5);
  throw invalid("--cpus", text, "it is a number of processors, like 1.5, and 0.01 at least");
}

std::int64_t parse_health_time(const std::string& flag, const std::string& text) {
  if (text.empty()) return 0;
  constexpr std::int64_t k_millisecond = 1'000'000;
  const auto out = frontend::dockerfile::parse_duration(text);
  if (out >= k_millisecond || out == 0) return out;
  throw invalid(flag, text, "it is a millisecond at least").with_advice("It is written like 30s, 1m30s or 500ms.");
}

std::vector<std::string> parse_env_file(std::string_view text, const std::string& name) {
  std::vector<std::string> out;
  std::size_t number = 0;
  for (auto& line : lines_of_file(text)) {
    ++number;
    if (line.empty()) continue;
    const std::string variable = line.substr(0, line.find('='));
    if (variable.empty() || variable.find_first_of(" \t") != std::string::npos) {
      throw usage_error(fmt::format("{}:{}: \"{}\" is no name of a variable", name, number, variable))
          .with_advice("A line of an --env-file is NAME=value, or NAME alone for the value that it has here.");
    }
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace mbuild::containers
