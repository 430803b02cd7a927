/* SPDX-License-Identifier: MIT */
/* error.h - libuv's and the system's codes as ours. */
#ifndef BSK_NET_ERROR_H
#define BSK_NET_ERROR_H

/* A code of libuv's, or a negative errno, as the library's; what has no code of its own is
 * BSK_EIO. */
int net_code(int uv);

#endif
