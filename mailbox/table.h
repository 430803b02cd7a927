/* SPDX-License-Identifier: MIT */
/* table.h - a hash table of items that bear their own link: adding to it cannot fail. */
#ifndef BSK_TABLE_H
#define BSK_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* In the item. */
struct table_node {
    struct table_node *next;
    uint64_t hash;
};

/* Zero is an empty table. Guarded by its user. */
struct table {
    struct table_node **chains;
    struct table_node *only; /* the one chain while cap is 0 */
    uint32_t n, cap;
};

/* Without memory for more chains they get longer, that is all. */
void table_add(struct table *t, struct table_node *node, uint64_t hash);
/* Takes out a node that is in it. */
void table_remove(struct table *t, struct table_node *node);
/* The first node of the hash, and the next one: what is looked for is among them. NULL: no more. */
struct table_node *table_first(const struct table *t, uint64_t hash);
struct table_node *table_next(const struct table_node *node);
/* Frees the chains; the items are the user's. */
void table_fini(struct table *t);

/* Hashes of text (FNV-1a) and of numbers (the end of splitmix64). */
uint64_t table_hash_text(const char *text);
static inline uint64_t table_hash(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

#endif
