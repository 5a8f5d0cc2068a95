#include "bake/pushing.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "bake/entries.h"

namespace mbuild::bake {
namespace {

std::string type_of(const Entry& output) { return field_of(output, "type"); }

}  // namespace

void set_push(bool push, Entries& outputs) {
  // The last one takes the place of one that goes, in buildx's order.
  for (std::size_t i = 0; !push && i < outputs.size();) {
    if (type_of(outputs[i]) != "registry") {
      ++i;
      continue;
    }
    std::swap(outputs[i], outputs.back());
    outputs.pop_back();
  }
  for (auto& output : outputs) {
    if (type_of(output) == "image") output.fields["push"] = push ? "true" : "false";
  }
  if (push && std::ranges::all_of(outputs, [](const Entry& output) { return type_of(output) == "docker"; }))
    outputs.push_back({.fields = {{"type", "image"}, {"push", "true"}}, .paths = {}});
}

void add_load(Entries& outputs) {
  for (const auto& output : outputs) {
    const auto type = type_of(output);
    if (type == "docker" && field_of(output, "dest").empty()) return;
    if (type != "docker" && type != "image" && type != "registry" && type != "oci") return;
  }
  outputs.push_back({.fields = {{"type", "docker"}}, .paths = {}});
}

}  // namespace mbuild::bake
