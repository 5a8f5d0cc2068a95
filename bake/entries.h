#pragma once

#include <string>
#include <string_view>

#include "bake/target.h"

// Composable attributes: each of their entries is text as of a flag ("type=local,dest=out"), or an object.
namespace mbuild::bake {

// The entries that the text stands for: none for "", several for caches that are just named. Throws Error (usage).
Entries parse_entries(Attribute attribute, const std::string& text);
// The same of an object. Throws Error (usage).
Entry checked_entry(Attribute attribute, Entry entry);

// Entries of one identity mean the same thing: attestations of one type, secrets and agents of one id. "" where there
// is no such notion.
std::string identity_of(Attribute attribute, const Entry& entry);
// Adds an entry, or replaces the one of its identity. One that is there already is not added, but to policies.
void put_entry(Attribute attribute, Entries& entries, const Entry& entry);

// A field, "" where there is none.
std::string field_of(const Entry& entry, const std::string& name);

}  // namespace mbuild::bake
