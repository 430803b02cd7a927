/* SPDX-License-Identifier: MIT */
/* lookup.h - names to addresses, by the system's resolver. */
#ifndef BSK_LOOKUP_H
#define BSK_LOOKUP_H

#include "handle.h"

#include <netdb.h>

#define LOOKUP_THREADS 16 /* of the process, at once */

struct lookup;

/* Tells, on the loop of who asked, what was found: the addresses are the callee's to free, by
 * freeaddrinfo; or a code, and NULL. */
typedef void lookup_found(void *arg, int code, struct addrinfo *all);

/* Looks the host up, and calls `found` once; then the lookup is no more. On the worker's thread,
 * which has w->net. NULL: *rc is BSK_ENOMEM or BSK_EINVAL, and nothing is called. */
struct lookup *lookup_start(struct worker *w, const char *host, lookup_found *found, void *arg,
                            int *rc);
/* Nobody wants to know any more: `found` is not called. On the same thread. */
void lookup_drop(struct lookup *l);

#endif
