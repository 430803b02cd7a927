/* SPDX-License-Identifier: MIT */
/* common.h - the messages of the programs that must not compile. */
#ifndef BSK_TESTS_COMMON_H
#define BSK_TESTS_COMMON_H

#include <stdio.h>
#include <buskin.h>

BSK_MSG(total, (i64, n));
BSK_MSG(found, (i64, key), (i64, place));
BSK_MSG(add, (i64, n));
BSK_CALL(get, total);
BSK_CALL(find, found, (i64, key));

#endif
