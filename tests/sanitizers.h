/* SPDX-License-Identifier: MIT */
/* sanitizers.h - which sanitizer the tests are built with: it makes them slow, and some things are
 * its own to find. */
#ifndef TESTS_SANITIZERS_H
#define TESTS_SANITIZERS_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#elif __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#endif
#if !defined(UNDER_TSAN)
#define UNDER_TSAN 0
#endif
#if !defined(UNDER_ASAN)
#define UNDER_ASAN 0
#endif
#define SANITIZED (UNDER_TSAN || UNDER_ASAN)

#endif
