#pragma once

#include <functional>

namespace mbuild {

// What a process has from whoever started it, put right for this program, as its first act: signals that are ignored
// (SIGCHLD: no child could be waited for) or blocked, closed descriptors 0 to 2 (the next file that is opened would get
// the number), other open descriptors (whatever outlives this process would hold them open), a file mode mask that
// takes the owner's own permissions, soft limits on open files and stacks below what is usual, SIGXFSZ (a file that may
// not grow is an error of write). SIGHUP, SIGINT and SIGQUIT stay ignored: nohup and the shell's & mean it so. Reading
// from a descriptor that was closed gives the end of file; writing to standard output then is an error, and to
// standard error is not.
void put_inherited_state_right();

// Whether a descriptor is one that this process was started with (of the first 128), not one of its own.
bool is_given_descriptor(int number);

// Runs `body`, on a stack of its own where the limit on this one is too small and may not be raised.
int run_with_enough_stack(const std::function<int()>& body);

}  // namespace mbuild
