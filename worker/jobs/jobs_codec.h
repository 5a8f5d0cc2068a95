#pragma once

#include "base/codec.h"
#include "worker/jobs/jobs.h"

// How the requests and replies of jobs.h are written as bytes. Descriptors travel beside, by index.
namespace mbuild::platforms {

template <class Codec>
void fields(Codec& codec, Platform& v) {
  codec(v.os, v.arch, v.variant, v.os_version);
}

}  // namespace mbuild::platforms

namespace mbuild::graph {

template <class Codec>
void fields(Codec& codec, Ulimit& v) {
  codec(v.name, v.soft, v.hard);
}

template <class Codec>
void fields(Codec& codec, FileAction& v) {
  codec(v.kind, v.input, v.secondary, v.output, v.source, v.destination, v.content, v.owner, v.mode, v.make_parents,
        v.follow_symlink, v.contents_only, v.unpack, v.allow_wildcard, v.allow_empty_wildcard, v.keep_owner, v.parents,
        v.exclude, v.allow_not_found, v.timestamp, v.link);
}

}  // namespace mbuild::graph

namespace mbuild::image {

template <class Codec>
void fields(Codec& codec, Inode& v) {
  codec(v.type, v.mode, v.uid, v.gid, v.size, v.mtime_sec, v.mtime_nsec, v.rdev_major, v.rdev_minor, v.link_target,
        v.opaque, v.device, v.inode, v.link_count, v.xattrs);
}

template <class Codec>
void fields(Codec& codec, Serialisation& v) {
  codec(v.diff_id, v.digest, v.size, v.uncompressed_size);
}

}  // namespace mbuild::image

namespace mbuild::emu {

template <class Codec>
void fields(Codec& codec, AuditFinding& v) {
  codec(v.kind, v.path, v.found, v.expected, v.file_kind, v.compatible, v.found_platform);
}

}  // namespace mbuild::emu

namespace mbuild::executor {

template <class Codec>
void fields(Codec& codec, LayerDir& v) {
  codec(v.path, v.implied);
}

template <class Codec>
void fields(Codec& codec, Stack& v) {
  codec(v.layers);
}

template <class Codec>
void fields(Codec& codec, SandboxMount& v) {
  codec(v.kind, v.target, v.read_only, v.stack, v.selector, v.upper, v.work, v.source, v.size, v.content_fd, v.uid,
        v.gid, v.mode);
}

template <class Codec>
void fields(Codec& codec, SandboxSpec& v) {
  codec(v.stack, v.upper, v.work, v.scratch, v.spill, v.argv, v.env, v.cwd, v.user, v.hostname, v.extra_hosts,
        v.network, v.network_fd, v.resolv_conf, v.security, v.ulimits, v.shm_size, v.mounts, v.single_id,
        v.less_isolation, v.stdout_fd, v.stderr_fd);
}

template <class Codec>
void fields(Codec& codec, SandboxResult& v) {
  codec(v.exit_code, v.signal, v.user_microseconds, v.system_microseconds, v.peak_memory, v.host_proc, v.shared_ids,
        v.root_changed);
}

template <class Codec>
void fields(Codec& codec, StatKey& v) {
  codec(v.dev, v.ino, v.size, v.mtime_ns, v.ctime_ns);
}

template <class Codec>
void fields(Codec& codec, TreeEntry& v) {
  codec(v.path, v.inode, v.key, v.implied, v.content);
}

template <class Codec>
void fields(Codec& codec, SelectedSource& v) {
  codec(v.name, v.path, v.entries);
}

template <class Codec>
void fields(Codec& codec, Selection& v) {
  codec(v.tree.seen_ns, v.sources);
}

template <class Codec>
void fields(Codec& codec, IdRange& v) {
  codec(v.inside, v.outside, v.count);
}

namespace jobs {

struct PathsRequest {
  std::vector<std::string> paths;
};

template <class Codec>
void fields(Codec& codec, NewSelection& v) {
  codec(v.action, v.selection);
}

template <class Codec>
void fields(Codec& codec, NewLayer& v) {
  codec(v.result_digest, v.bytes, v.files, v.newest_mtime, v.implied, v.read_anew);
}

template <class Codec>
void fields(Codec& codec, UnpackRequest& v) {
  codec(v.media_type, v.digest, v.diff_id, v.size, v.summarise, v.work, v.final_path, v.final_path_on_lowers,
        v.lower_paths, v.without_lowers, v.owners, v.audit_for);
}

template <class Codec>
void fields(Codec& codec, UnpackReply& v) {
  codec(v.layer, v.findings, v.depends_on_lowers, v.needs_lowers);
}

template <class Codec>
void fields(Codec& codec, CacheDirectory& v) {
  codec(v.path, v.uid, v.gid, v.mode);
}

template <class Codec>
void fields(Codec& codec, RunRequest& v) {
  codec(v.spec, v.work, v.final_path, v.check_platform, v.cache_directories, v.owners, v.store, v.store_uids,
        v.store_gids);
}

template <class Codec>
void fields(Codec& codec, RunReply& v) {
  codec(v.result, v.layer);
}

template <class Codec>
void fields(Codec& codec, NetworkRequest& v) {
  codec(v.pasta, v.slirp4netns, v.caller_is_root);
}

template <class Codec>
void fields(Codec& codec, NetworkReply& v) {
  codec(v.kind, v.resolv_conf, v.problem, v.advice);
}

template <class Codec>
void fields(Codec& codec, CopySource& v) {
  codec(v.stack, v.directory, v.selection);
}

template <class Codec>
void fields(Codec& codec, FilesRequest& v) {
  codec(v.base, v.actions, v.sources, v.work, v.final_path, v.owners, v.older_path, v.older_contents, v.contents_path);
}

template <class Codec>
void fields(Codec& codec, ProbeReply& v) {
  codec(v.digest, v.complete, v.selections);
}

template <class Codec>
void fields(Codec& codec, ProbedLayer& v) {
  codec(v.probe, v.layer);
}

template <class Codec>
void fields(Codec& codec, SelectRequest& v) {
  codec(v.ignore, v.action);
}

template <class Codec>
void fields(Codec& codec, SelectReply& v) {
  codec(v.selection, v.digest);
}

template <class Codec>
void fields(Codec& codec, SerialiseRequest& v) {
  codec(v.path, v.implied, v.clamp_mtime, v.compression, v.level, v.owners, v.audit_for);
}

template <class Codec>
void fields(Codec& codec, SerialiseReply& v) {
  codec(v.serialisation, v.findings);
}

template <class Codec>
void fields(Codec& codec, AuditQuestion& v) {
  codec(v.path, v.layer, v.interpreter);
}

template <class Codec>
void fields(Codec& codec, AuditRequest& v) {
  codec(v.layers, v.questions);
}

template <class Codec>
void fields(Codec& codec, TreeExport& v) {
  codec(v.platform, v.subdirectory, v.stack);
}

template <class Codec>
void fields(Codec& codec, ExportRequest& v) {
  codec(v.trees, v.destination, v.remove_others, v.clamp_mtime, v.owners, v.work);
}

template <class Codec>
void fields(Codec& codec, FlattenRequest& v) {
  codec(v.stack, v.below, v.work, v.final_path);
}

template <class Codec>
void fields(Codec& codec, ReplaceRequest& v) {
  codec(v.fresh, v.kept, v.aside);
}

template <class Codec>
void fields(Codec& codec, PathsRequest& v) {
  codec(v.paths);
}
template <class Codec>
void fields(Codec& codec, DigestRequest& v) {
  codec(v.stack, v.selector, v.work, v.owners);
}

}  // namespace jobs
}  // namespace mbuild::executor
