#pragma once

#include <string>
#include <vector>

#include "base/fd.h"

// Mounting snapshots, for file jobs and for sandboxes.
//
// A layer of an image often holds `etc/x` and no entry for `etc`. Unpacked, `etc` exists there with made-up metadata:
// an *implied directory*. Overlay takes the metadata of a merged directory from the topmost layer that has it, so /tmp
// would lose its 1777 to a layer that only brings /tmp/x. Therefore one *generated directory* goes on top of the lower
// stack, with just those directories whose metadata would come out wrong, as they should be: as in the topmost layer
// with an entry of its own that no whiteout, opaque directory or non-directory above hides. The same directory carries
// the *stubs*, on which a RUN's mounts are placed where the image has nothing; as a lower layer it never reaches an
// image. Every directory in it hides the metadata below, so all of them carry the effective metadata.
namespace mbuild::executor {

struct LayerDir {
  std::string path;                  // absolute, or "/proc/self/fd/N"
  std::vector<std::string> implied;  // directories without an entry of their own: "etc/ssl", "" is the layer's root
};

struct Stack {
  std::vector<LayerDir> layers;  // bottom first; may be empty
};

struct Stub {
  std::string path;  // relative, in canonical form: through no symbolic link of the snapshot
  bool directory = true;
};

// Fills the empty directory `into` with the generated directory; false when none is needed (and `into` stays as it is).
// Missing parents of stubs become 0755 root.
bool generate_directory(const Stack& stack, const std::vector<Stub>& stubs, const std::string& into);

// The snapshot, read-only, as a detached mount. `scratch` is an existing directory in the store that lives as long as
// the mount; names in it are made unique.
Fd mount_snapshot(const Stack& stack, const std::string& scratch);

// The snapshot with the stubs, writable: changes go to `upper`, an empty directory, which gets the metadata of the
// snapshot's root directory. `work` is empty and on the same file system.
Fd mount_snapshot_writable(const Stack& stack, const std::vector<Stub>& stubs, const std::string& scratch,
                           const std::string& upper, const std::string& work);

// Copies mode, owner, times and extended attributes (but overlay's own) of a directory.
void copy_directory_metadata(int from, int to);
// Mode, owner and extended attributes (but overlay's own), for comparisons.
std::string describe_directory(int fd);

}  // namespace mbuild::executor
