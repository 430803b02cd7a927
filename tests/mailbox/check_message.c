/* SPDX-License-Identifier: MIT */
/* check_message.c - a message's contents: what is copied behind it, what is held, what is
 * dropped. */
#include "mailbox/memory.h"
#include "mailbox/message.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

BSK_MSG(nothing);
BSK_MSG(plain, (i64, i), (u64, u), (f64, f), (bool, b), (addr, a));
BSK_MSG(one_text, (str, s));
BSK_MSG(texts, (str, s), (i64, i), (str, t), (str, u));
BSK_MSG(octets, (bytes, x), (bytes, y));
BSK_MSG(mixed, (str, s), (bytes, x), (blob, b), (bool, flag), (str, t), (bytes, y), (blob, c));
BSK_CALL(question, mixed, (i64, n));

static int dropped;
static void *dropped_data;
BSK_LOCAL(local, local_drop, (void *, data), (int, n));

void local_drop(void *body)
{
    dropped++;
    dropped_data = ((local *)body)->data;
}

static void teardown(void)
{
    ck_assert_int_eq(mem_live(), 0);
}

/* As the senders do, in a block with no byte too many. */
static struct bsk_msg *build_as(const bsk_type *type, const bsk_type *body_type, const void *body,
                                enum msg_lane lane)
{
    size_t tail = body_type->tails ? msg_tail_size(body_type, body) : 0;
    struct bsk_msg *m = mem_alloc(MSG_HEAD + body_type->size + tail);
    ck_assert_ptr_nonnull(m);
    m->type = type;
    m->lane = (uint8_t)lane;
    m->flags = msg_contents(body_type);
    msg_copy_words(m->body, body, body_type->size);
    if (body_type->tails) msg_copy_tails(m);
    return m;
}

static struct bsk_msg *build(const bsk_type *type, const void *body)
{
    return build_as(type, type, body, MSG_USER);
}

static void discard(struct bsk_msg *m)
{
    msg_release(m);
    mem_free(m);
}

START_TEST(a_type_describes_its_fields)
{
    ck_assert_str_eq(mixed_bsk.name, "mixed");
    ck_assert_uint_eq(mixed_bsk.size, sizeof(mixed));
    ck_assert_uint_eq(mixed_bsk.nfields, 7);
    ck_assert_uint_eq(mixed_bsk.tails, 6);
    const char *kinds = "syBbsyB";
    for (int i = 0; i < 7; i++) ck_assert_int_eq(mixed_bsk.fields[i].kind, kinds[i]);
    ck_assert_str_eq(mixed_bsk.fields[3].name, "flag");
    ck_assert_uint_eq(mixed_bsk.fields[3].off, offsetof(mixed, flag));
    ck_assert_ptr_null(mixed_bsk.reply);
    ck_assert(!mixed_bsk.drop);
    ck_assert_ptr_eq(question_bsk.reply, &mixed_bsk);
    ck_assert_uint_eq(nothing_bsk.nfields, 0);
    ck_assert_uint_eq(plain_bsk.tails, 0);
    ck_assert_ptr_null(local_bsk.fields);
    ck_assert(local_bsk.drop == local_drop);
}
END_TEST

START_TEST(words_are_copied_whatever_their_number)
{
    unsigned char from[64], to[64];
    for (unsigned i = 0; i < sizeof from; i++) from[i] = (unsigned char)(i + 1);
    for (uint32_t n = 0; n < 64; n++) {
        memset(to, 0, sizeof to);
        msg_copy_words(to, from, n);
        ck_assert_mem_eq(to, from, n);
        for (uint32_t i = n; i < 64; i++) ck_assert_uint_eq(to[i], 0);
    }
}
END_TEST

START_TEST(a_body_finds_its_message)
{
    plain p = {.i = -1, .u = UINT64_MAX, .f = 0.5, .b = true, .a = {1, 2, 3}};
    struct bsk_msg *m = build(&plain_bsk, &p);
    plain *got = (void *)m->body;
    ck_assert_ptr_eq(msg_of(got), m);
    ck_assert(got->i == -1 && got->u == UINT64_MAX && got->f == 0.5 && got->b);
    ck_assert(bsk_same(got->a, p.a));
    ck_assert_uint_eq(m->flags, 0);
    discard(m);
}
END_TEST

START_TEST(an_empty_message_is_a_message)
{
    nothing n = {0};
    struct bsk_msg *m = build(&nothing_bsk, &n);
    ck_assert_uint_eq(m->flags & MSG_CONTENTS, 0);
    discard(m);
}
END_TEST

START_TEST(texts_are_copied)
{
    char s[] = "sock", t[] = "", u[] = "buskin";
    texts x = {.s = s, .i = 7, .t = t, .u = u};
    struct bsk_msg *m = build(&texts_bsk, &x);
    memset(s, 'X', 4);
    memset(u, 'X', 6);
    texts *got = (void *)m->body;
    ck_assert_str_eq(got->s, "sock");
    ck_assert_str_eq(got->t, "");
    ck_assert_str_eq(got->u, "buskin");
    ck_assert(got->s != s && got->t != t && got->u != u && got->i == 7);
    discard(m);
}
END_TEST

START_TEST(a_text_may_be_null)
{
    texts x = {.s = NULL, .i = 7, .t = "t", .u = NULL};
    struct bsk_msg *m = build(&texts_bsk, &x);
    texts *got = (void *)m->body;
    ck_assert_ptr_null(got->s);
    ck_assert_str_eq(got->t, "t");
    ck_assert_ptr_null(got->u);
    discard(m);
}
END_TEST

START_TEST(a_long_text_is_copied_whole)
{
    size_t n = 100000;
    char *long_text = malloc(n + 1);
    ck_assert_ptr_nonnull(long_text);
    memset(long_text, 'x', n);
    long_text[n] = '\0';
    one_text x = {.s = long_text};
    struct bsk_msg *m = build(&one_text_bsk, &x);
    ck_assert_uint_eq(strlen(((one_text *)(void *)m->body)->s), n);
    discard(m);
    free(long_text);
}
END_TEST

START_TEST(bytes_are_copied_and_aligned)
{
    for (size_t n = 1; n < 70; n++) {
        unsigned char x[70], y[70];
        memset(x, (int)n, sizeof x);
        memset(y, (int)n + 100, sizeof y);
        octets o = {.x = {x, n}, .y = {y, 70 - n}};
        struct bsk_msg *m = build(&octets_bsk, &o);
        octets *got = (void *)m->body;
        ck_assert_uint_eq((uintptr_t)got->x.ptr % 16, 0);
        ck_assert_uint_eq((uintptr_t)got->y.ptr % 16, 0);
        ck_assert(got->x.len == n && got->y.len == 70 - n && got->x.ptr != x);
        ck_assert_mem_eq(got->x.ptr, x, n);
        ck_assert_mem_eq(got->y.ptr, y, 70 - n);
        discard(m);
    }
}
END_TEST

START_TEST(bytes_may_be_empty)
{
    octets o = {.x = {NULL, 0}, .y = {"z", 1}};
    struct bsk_msg *m = build(&octets_bsk, &o);
    octets *got = (void *)m->body;
    ck_assert_uint_eq(got->x.len, 0);
    ck_assert_mem_eq(got->y.ptr, "z", 1);
    discard(m);
}
END_TEST

static void drop_pair(mixed *m)
{
    bsk_blob_drop(m->b);
    bsk_blob_drop(m->c);
}

static mixed make_mixed(void)
{
    return (mixed){.s = "a text",
                   .x = {"bytes", 5},
                   .b = bsk_blob_new("blob", 4),
                   .flag = true,
                   .t = NULL,
                   .y = {NULL, 0},
                   .c = NULL};
}

static void check_mixed(const mixed *got, const mixed *from)
{
    ck_assert_str_eq(got->s, "a text");
    ck_assert_uint_eq((uintptr_t)got->x.ptr % 16, 0);
    ck_assert_mem_eq(got->x.ptr, "bytes", 5);
    ck_assert(got->b == from->b && got->flag && !got->t && !got->c);
}

START_TEST(a_blob_is_held_until_the_message_is_freed)
{
    mixed x = make_mixed();
    struct bsk_msg *m = build(&mixed_bsk, &x);
    check_mixed((void *)m->body, &x);
    drop_pair(&x);
    /* The message has the last count. */
    ck_assert_mem_eq(bsk_blob_bytes(((mixed *)(void *)m->body)->b).ptr, "blob", 4);
    ck_assert_int_eq(mem_live(), 2);
    msg_release(m);
    ck_assert_int_eq(mem_live(), 1);
    mem_free(m);
}
END_TEST

START_TEST(a_reply_has_the_contents_of_its_requests_reply)
{
    mixed x = make_mixed();
    struct bsk_msg *m = build_as(&question_bsk, &mixed_bsk, &x, MSG_REPLY);
    check_mixed((void *)m->body, &x);
    drop_pair(&x);
    ck_assert_int_eq(mem_live(), 2);
    discard(m);
}
END_TEST

START_TEST(a_local_message_is_dropped_once)
{
    int data;
    local x = {.data = &data, .n = 3};
    struct bsk_msg *m = build(&local_bsk, &x);
    ck_assert_uint_eq(m->flags & MSG_CONTENTS, MSG_CONTENTS);
    discard(m);
    ck_assert_int_eq(dropped, 1);
    ck_assert_ptr_eq(dropped_data, &data);
}
END_TEST

START_TEST(contents_that_were_given_away_are_not_dropped)
{
    local x = {.data = NULL, .n = 3};
    struct bsk_msg *m = build(&local_bsk, &x);
    m->flags &= (uint8_t)~MSG_CONTENTS;
    discard(m);
    ck_assert_int_eq(dropped, 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("message");
    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, a_type_describes_its_fields);
    tcase_add_test(tc, words_are_copied_whatever_their_number);
    tcase_add_test(tc, a_body_finds_its_message);
    tcase_add_test(tc, an_empty_message_is_a_message);
    tcase_add_test(tc, texts_are_copied);
    tcase_add_test(tc, a_text_may_be_null);
    tcase_add_test(tc, a_long_text_is_copied_whole);
    tcase_add_test(tc, bytes_are_copied_and_aligned);
    tcase_add_test(tc, bytes_may_be_empty);
    tcase_add_test(tc, a_blob_is_held_until_the_message_is_freed);
    tcase_add_test(tc, a_reply_has_the_contents_of_its_requests_reply);
    tcase_add_test(tc, a_local_message_is_dropped_once);
    tcase_add_test(tc, contents_that_were_given_away_are_not_dropped);

    Suite *suite = suite_create("message");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
