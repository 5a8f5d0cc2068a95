#pragma once

#include <memory>
#include <string>

#include "base/digest.h"
#include "graph/graph.h"

// A policy on what a build may be made of: the file that EXPERIMENTAL_BUILDKIT_SOURCE_POLICY names (BuildKit's
// sourcepolicy/pb/policy.proto as JSON). Rules ALLOW, DENY and CONVERT select identifiers of sources:
// docker-image://docker.io/library/alpine:3.20, oci-layout://..., https://..., git://HOST/PATH#REF[:SUBDIR],
// local://context, local://dockerfile. Of the rules that allow or deny the last that matches counts; a rule that
// converts has the policy looked at again from its first rule.
//
// It is a control, so nothing of it is passed over: what isn't understood is an Error (usage) that names it.
namespace mbuild::executor {

class SourcePolicy;

// None for the path "". Throws Error (usage) where the file can't be read or says what isn't understood.
std::shared_ptr<const SourcePolicy> load_source_policy(const std::string& path);
// The same from a text; `path` is its name in messages.
std::shared_ptr<const SourcePolicy> parse_source_policy(const std::string& text, const std::string& path);

// All throw Error (usage) for a source that is denied, or that a rule converts into what it can't be.

// A source of the graph (no image) as the policy has it.
graph::SourceOp allowed_source(const SourcePolicy& policy, graph::SourceOp source);
void check_local_source(const SourcePolicy& policy, const std::string& name);
// All sources of a graph but images, whose names a graph no longer has.
void apply_source_policy(const SourcePolicy& policy, graph::Graph& graph);

// The reference (or "oci-layout://...") that is to be used in place of this one; itself without a policy.
std::string policy_image(const SourcePolicy* policy, const std::string& reference);
// Once its digest is known: rules may deny that.
void check_pinned_image(const SourcePolicy* policy, const std::string& reference, const Digest& digest);

}  // namespace mbuild::executor
