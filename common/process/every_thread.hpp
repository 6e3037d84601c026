// SPDX-License-Identifier: BSD-3-Clause
// Runs a function on every thread of the process: the kernel lets each change only its own capabilities.
//
// libpsx does the same for threads made by a pthread_create() that its linker option has wrapped, which those
// of shared libraries (DPDK, the C++ runtime) are not; here the kernel says which threads there are.
#pragma once

#include "common/base/result.hpp"

namespace turnpike::process {

// `act` runs in a signal handler on the other threads and may only make system calls. 0 or an errno. No
// thread may be made meanwhile. The error names the first thread that failed or did not answer within a
// second.
Status on_every_thread(int (*act)(const void* argument), const void* argument);

}  // namespace turnpike::process
