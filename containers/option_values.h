#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "containers/options.h"

// Options of a container as users write them. All throw Error (usage).
namespace mbuild::containers {

// -v HOST:DIR[:ro], NAME:DIR[:ro], or DIR for a volume of a new name; a relative HOST begins with a dot and is taken
// from `directory`.
HostBind parse_volume(const std::string& text, const std::string& directory);
// --mount type=bind,src=HOST,dst=DIR,readonly, type=volume[,src=NAME],dst=DIR or type=tmpfs,dst=DIR,tmpfs-size=N, into
// the list that it belongs to.
void parse_mount(const std::string& text, const std::string& directory, Options& into);
// Throws Error (usage) where two are to be mounted at one place.
void check_mount_points(const Options& options);
// --tmpfs DIR[:size=N,ro].
MemoryMount parse_tmpfs(const std::string& text);
// always, missing, never.
Pull parse_pull(const std::string& text);
// no, on-failure[:N], always, unless-stopped.
Restart parse_restart(const std::string& text);
// "1.5", in thousandths.
std::uint64_t parse_cpus(const std::string& text);
// --health-interval and the like, by the flag's name: nanoseconds, a millisecond at least; "" is 0.
std::int64_t parse_health_time(const std::string& flag, const std::string& text);
// Seconds until SIGKILL; negative: without end; "": none. `flag` is for the message.
std::optional<std::int64_t> parse_stop_timeout(const std::string& flag, const std::string& text);
// --expose 80, 80/udp, 8000-8010/tcp: "80/tcp", one for each.
std::vector<std::string> parse_expose(const std::string& text);
// --dns: the address. Throws Error (usage) where it is none.
std::string parse_name_server(const std::string& text);
// A label NAME or NAME=VALUE, into those that there are: the last one of a name counts.
void add_label(const std::string& text, std::vector<std::pair<std::string, std::string>>& into);
// The labels of a --label-file: one a line; "#" begins a comment.
void add_labels_of_file(std::string_view text, std::vector<std::pair<std::string, std::string>>& into);
// A number from 1 on; "" and "-1" are 0. `flag` is for the message.
std::uint64_t parse_count(const std::string& flag, const std::string& text);
// The lines of an --env-file: "NAME=value", or "NAME" alone; "#" begins a comment. What UTF-8 files of other systems
// begin with (a BOM) is no part of it.
std::vector<std::string> parse_env_file(std::string_view text, const std::string& name);
}  // namespace mbuild::containers
