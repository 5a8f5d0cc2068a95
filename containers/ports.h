#pragma once

#include <string>
#include <vector>

#include "containers/options.h"

// Ports of the host that lead into a container.
namespace mbuild::containers {

// -p [IP:][HOST:]PORT[/udp], ranges of equal length ("8000-8002:80-82"); a host's port that is not said is chosen.
// Throws Error (usage).
std::vector<Port> parse_publish(const std::string& text);

// Chooses a port of the host's where none is said: one that nobody uses. Throws Error (host).
void choose_port(Port& port);

// Adds those of an image ("80/tcp", "53/udp", "7000-7002") that no port leads to yet, each with a port of the host.
void add_exposed_ports(const std::vector<std::string>& exposed, std::vector<Port>& into);

// Throws Error (host) where one is in use, or may not be had; it names what holds it as far as that can be told.
void check_ports(const std::vector<Port>& ports);

// As pasta's -t and -u take them.
std::vector<std::string> pasta_ports(const std::vector<Port>& ports, bool udp);

// "0.0.0.0:8000->80/tcp".
std::string to_string(const Port& port);

}  // namespace mbuild::containers
