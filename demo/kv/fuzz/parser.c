/* SPDX-License-Identifier: MIT */
/* A libFuzzer target: the parser, given the same bytes in two different rows of pieces.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -Idemo/kv -I. demo/kv/fuzz/parser.c \
 *         demo/kv/protocol.c demo/kv/buffer.c */
#include <stdlib.h>

#include "protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads all, `step` bytes at a time; returns a digest of what was read. */
static uint64_t read_all(const char *bytes, size_t n, size_t step)
{
    struct parser p;
    uint64_t digest = 0;
    size_t from = 0, have = 0, used;
    enum parsed r = PARSED_NONE;
    const char *error;
    parser_init(&p);
    while (have < n && r != PARSED_BAD) {
        have = have + step < n ? have + step : n;
        while ((r = parser_next(&p, bytes + from, have - from, &used, &error)) == PARSED_COMMAND ||
               r == PARSED_EMPTY) {
            for (uint32_t i = 0; r == PARSED_COMMAND && i < p.argc; i++) {
                struct arg a = parser_arg(&p, bytes + from, i);
                for (uint32_t k = 0; k < a.len; k++) digest = digest * 31 + (unsigned char)a.at[k];
                digest = digest * 31 + a.len;
            }
            if (used > have - from) abort();
            from += used;
        }
    }
    parser_fini(&p);
    return digest * 2 + (r == PARSED_BAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const void *bytes = data;
    if (size && read_all(bytes, size, size) != read_all(bytes, size, 1)) abort();
    return 0;
}
