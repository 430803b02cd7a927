/* SPDX-License-Identifier: MIT */
/* upper.h - what this floor keeps of a runtime. */
#ifndef BSK_UPPER_H
#define BSK_UPPER_H

#include "actors/runtime.h"

#define LINK_STRIPES 64

struct link;

/* Links by the two that they tie, for those that ask by address. */
struct link_bucket {
    struct lock lock;
    uint32_t n, cap;
    struct link *only; /* the one chain while cap is 0 */
    struct link **chains;
};

struct upper {
    struct slab monitors;
    struct link_bucket links[LINK_STRIPES];
};

#endif
