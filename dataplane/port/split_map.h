/* SPDX-License-Identifier: BSD-3-Clause */
/* What split.bpf.c looks destinations up by; shared with its loader, hence C. */
#pragma once

#include <linux/types.h>

enum { TURNPIKE_MAX_LOCAL = 512, TURNPIKE_MAX_QUEUES = 64 };

struct turnpike_local_key {
  __u8 address[16]; /* IPv4 in the first four, the rest zero */
  __u32 family;     /* 1 IPv4, 2 IPv6: no padding, because the map compares every byte */
};

struct turnpike_local_ports { /* host byte order */
  __u16 listener;             /* 0: none */
  __u16 relay_min;            /* 0: none */
  __u16 relay_max;            /* inclusive */
  __u16 reserved;
};
