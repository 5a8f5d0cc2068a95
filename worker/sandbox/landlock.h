#pragma once

namespace mbuild::executor {

// From now on this process and its children reach no abstract unix socket but those that they make themselves, on
// kernels that can do that (Linux 6.12 with Landlock); on others nothing changes. Needs CAP_SYS_ADMIN in its user
// namespace.
void close_abstract_sockets();

}  // namespace mbuild::executor
