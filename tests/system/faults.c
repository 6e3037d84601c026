// SPDX-License-Identifier: BSD-3-Clause
// Preloaded under turnpike-dataplane by test_socket_port.py: the kernel as it is on a bad day.
//   TURNPIKE_FAULT=gso    sends of segmented messages fail with EINVAL, as old kernels and some NICs answer
//   TURNPIKE_FAULT=full   every third send call finds the send buffer full
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int wanted(const char* fault) {
  const char* given = getenv("TURNPIKE_FAULT");
  return given != NULL && strcmp(given, fault) == 0;
}

static int segmented(const struct msghdr* header) {
  for (struct cmsghdr* at = CMSG_FIRSTHDR(header); at != NULL; at = CMSG_NXTHDR((struct msghdr*)header, at)) {
    if (at->cmsg_level == IPPROTO_UDP && at->cmsg_type == UDP_SEGMENT) return 1;
  }
  return 0;
}

static int refuse(const struct msghdr* header) {
  static unsigned calls;
  if (wanted("gso") && segmented(header))
    errno = EINVAL;
  else if (wanted("full") && ++calls % 3 == 0)
    errno = EAGAIN;
  else
    return 0;
  return 1;
}

ssize_t sendmsg(int fd, const struct msghdr* header, int flags) {
  ssize_t (*real)(int, const struct msghdr*, int) = dlsym(RTLD_NEXT, "sendmsg");
  return header->msg_name != NULL && refuse(header) ? -1 : real(fd, header, flags);
}

int sendmmsg(int fd, struct mmsghdr* messages, unsigned count, int flags) {
  int (*real)(int, struct mmsghdr*, unsigned, int) = dlsym(RTLD_NEXT, "sendmmsg");
  unsigned good = 0;
  while (good < count &&
         !(good == 0 ? refuse(&messages[0].msg_hdr) : wanted("gso") && segmented(&messages[good].msg_hdr)))
    ++good;
  return good == 0 ? -1 : real(fd, messages, good, flags);
}
