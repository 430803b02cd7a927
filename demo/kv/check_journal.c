/* SPDX-License-Identifier: MIT */
/* What is in the journal comes back after whatever end, each entry once, in order; what is not whole
 * does not; what is not ours is left alone. Each life of the journal is a process of its own, which
 * ends without a word: that is the crash.
 * with: journal.c buffer.c hash.c
 * ctest: not=tsan timeout=120 */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_dir.h"
#include "journal.h"

enum { HEAD = 32, TEXT = 4096, MIB = 1 << 20, FILE_BYTES = 32 * MIB };

static const struct secret secret = {1, 2}, other_secret = {1, 3};

/* What was applied in a life; the parent sees it too. */
static struct seen {
    unsigned calls;
    uint64_t number;
    size_t len;
    char text[TEXT];
    int fail; /* what to answer instead */
    int rc;   /* what the life has to tell */
} * seen;

static uint64_t applied;
static bool syncs;

static int apply(const char *writes, size_t len, uint64_t number)
{
    if (seen->fail) return seen->fail;
    if (seen->len + len < TEXT) memcpy(seen->text + seen->len, writes, len);
    seen->calls++;
    seen->number = number;
    seen->len += len;
    return 0;
}

static void path_of(int i, char *to)
{
    sprintf(to, "%s/journal.%d", dir, i);
}

static void setup(void)
{
    dir_open();
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(seen, MAP_FAILED);
    applied = 0;
    syncs = true;
}

static void teardown(void)
{
    dir_close();
    munmap(seen, sizeof *seen);
}

static int open_it(void)
{
    return journal_open(dir, &secret, syncs, applied, apply);
}

/* A life: opens the journal, does something, and is gone. Returns the code. */
static int life(int (*deed)(void))
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) {
        memset(seen, 0, offsetof(struct seen, fail));
        seen->rc = open_it();
        if (!seen->rc && deed) seen->rc = deed();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    return seen->rc;
}

/* A life applies this when it begins, and goes on from that number. */
static void expect(const char *text, uint64_t number)
{
    ck_assert_int_eq(life(NULL), 0);
    ck_assert_uint_eq(seen->len, strlen(text));
    ck_assert_mem_eq(seen->text, text, seen->len);
    if (*text) ck_assert_uint_eq(seen->number, number);
}

static int append(const char *text)
{
    return journal_append(text, strlen(text));
}

static int write_three(void)
{
    int rc = append("one");
    if (!rc) rc = append("second");
    return rc ? rc : append("the third");
}

static int write_around_an_empty_one(void)
{
    int rc = append("before");
    if (!rc) rc = journal_append(NULL, 0);
    return rc ? rc : append("after");
}

static int write_four(void)
{
    return append("fourth");
}

/* Bytes on disk. */

static int open_file(int file)
{
    char path[96];
    path_of(file, path);
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void read_at(int file, off_t at, void *bytes, size_t n)
{
    int fd = open_file(file);
    ck_assert_int_eq(pread(fd, bytes, n, at), n);
    close(fd);
}

static void write_at(int file, off_t at, const void *bytes, size_t n)
{
    int fd = open_file(file);
    ck_assert_int_eq(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static off_t where(int file, const char *text)
{
    static char bytes[64 * 1024];
    read_at(file, 0, bytes, sizeof bytes);
    char *at = memmem(bytes, sizeof bytes, text, strlen(text));
    ck_assert_ptr_nonnull(at);
    return at - bytes;
}

START_TEST(entries_come_back_in_order)
{
    ck_assert_int_eq(life(write_three), 0);
    expect("onesecondthe third", 3);
    ck_assert_uint_eq(seen->calls, 1);
    expect("onesecondthe third", 3); /* nobody has said that it was applied */
}
END_TEST

START_TEST(an_entry_may_be_empty)
{
    ck_assert_int_eq(life(write_around_an_empty_one), 0);
    expect("beforeafter", 3);
    applied = 1;
    expect("after", 3);
}
END_TEST

START_TEST(what_is_applied_is_not_applied_again)
{
    ck_assert_int_eq(life(write_three), 0);
    applied = 2;
    expect("the third", 3);
    applied = 3;
    expect("", 3);
    ck_assert_uint_eq(seen->calls, 0);
}
END_TEST

/* What is behind a new beginning are whole entries, but old ones. */
START_TEST(entries_are_written_over_old_ones)
{
    ck_assert_int_eq(life(write_three), 0);
    applied = 3;
    ck_assert_int_eq(life(write_four), 0);
    expect("fourth", 4);
    ck_assert_int_lt(where(0, "fourth"), where(0, "second"));
    applied = 4;
    expect("", 4);
}
END_TEST

/* A write that is not whole is of an entry that nobody was told of. What it should have written over
 * is zeros, or what was there before. */
START_TEST(an_entry_that_is_cut_off_anywhere_is_none)
{
    char last[HEAD + 9], zeros[sizeof last] = "", old[sizeof last];
    ck_assert_int_eq(life(write_three), 0);
    off_t at = where(0, "the third") - HEAD;
    read_at(0, at, last, sizeof last);
    memset(old, 'x', sizeof old);
    for (size_t n = 0; n <= sizeof last; n++)
        for (int how = 0; how < 2; how++) {
            write_at(0, at, how ? old : zeros, sizeof last);
            write_at(0, at, last, n);
            if (n == sizeof last)
                expect("onesecondthe third", 3);
            else
                expect("onesecond", 2);
        }
}
END_TEST

START_TEST(a_file_that_is_cut_off_anywhere_has_what_is_before)
{
    char path[96];
    ck_assert_int_eq(life(write_three), 0);
    path_of(0, path);
    off_t end = where(0, "the third") + 9, second = where(0, "second") + 6;
    for (off_t n = end; n >= second; n--) {
        ck_assert_int_eq(truncate(path, n), 0);
        if (n == end)
            expect("onesecondthe third", 3);
        else
            expect("onesecond", 2);
    }
}
END_TEST

START_TEST(a_bit_that_is_wrong_in_the_last_entry_is_seen)
{
    unsigned char last[HEAD + 9];
    ck_assert_int_eq(life(write_three), 0);
    off_t at = where(0, "the third") - HEAD;
    read_at(0, at, last, sizeof last);
    for (size_t bit = 0; bit < 8 * sizeof last; bit++) {
        last[bit / 8] ^= (unsigned char)(1 << bit % 8);
        write_at(0, at, last, sizeof last);
        expect("onesecond", 2);
        last[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    write_at(0, at, last, sizeof last);
    expect("onesecondthe third", 3);
}
END_TEST

/* Whole ones stand behind it: it was acknowledged, and is not passed over with all that follows. */
START_TEST(a_bit_that_is_wrong_in_an_entry_before_is_told)
{
    unsigned char bytes[HEAD + 6];
    ck_assert_int_eq(life(write_three), 0);
    off_t at = where(0, _i ? "second" : "one") - HEAD;
    size_t n = HEAD + (_i ? 6 : 3);
    read_at(0, at, bytes, n);
    for (size_t bit = 0; bit < 8 * n; bit += 9) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        write_at(0, at, bytes, n);
        ck_assert_int_eq(life(NULL), JOURNAL_DAMAGED);
        ck_assert_uint_eq(seen->calls, 0);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    memset(bytes, 0, n);
    write_at(0, at, bytes, n);
    ck_assert_int_eq(life(NULL), JOURNAL_DAMAGED);
    applied = 3;
    expect("", 3);
}
END_TEST

START_TEST(what_stands_behind_the_end_is_nothing)
{
    unsigned char bytes[4096];
    ck_assert_int_eq(life(write_three), 0);
    off_t at = where(0, "the third") + 16;
    srand((unsigned)_i);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)rand();
    uint64_t next = 4, len = (uint64_t)_i * 100;
    if (_i % 2) memcpy(bytes, &next, sizeof next);
    if (_i % 2) memcpy(bytes + sizeof next, &len, sizeof len);
    write_at(0, at, bytes, sizeof bytes);
    expect("onesecondthe third", 3);
}
END_TEST

/* A value that looks like an entry stands where the next one is looked for, once it is written over
 * in part: it is none, as its check is not of this secret. */
START_TEST(a_value_that_looks_like_an_entry_is_none)
{
    struct {
        uint64_t number, len, safe, check;
    } forged = {.number = 5, .len = 0};
    char bytes[HEAD];
    ck_assert_int_eq(life(write_three), 0);
    applied = 3;
    ck_assert_int_eq(life(write_four), 0);
    off_t next = where(0, "fourth") + 8;
    /* As somebody makes it who knows all but the secret. */
    forged.check = hash_of(&other_secret, "", 0) ^ forged.number * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(bytes, &forged, sizeof forged);
    write_at(0, next, bytes, sizeof bytes);
    expect("fourth", 4);
    /* With the secret it is one: so the place is right. */
    forged.check = hash_of(&secret, "", 0) ^ forged.number * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(bytes, &forged, sizeof forged);
    write_at(0, next, bytes, sizeof bytes);
    expect("fourth", 5);
}
END_TEST

/* Entries that are not synced, when the machine fails: any may be missing. */

static void make_hole(int file, const char *text)
{
    char zeros[HEAD + TEXT] = "";
    write_at(file, where(file, text) - HEAD, zeros, HEAD + strlen(text));
}

START_TEST(an_unsynced_entry_outlives_the_process)
{
    syncs = false;
    ck_assert_int_eq(life(write_three), 0);
    syncs = _i;
    expect("onesecondthe third", 3);
}
END_TEST

static int write_up_to_the_third(void)
{
    return append("as long as the first two are, and so ends there.");
}

/* What is behind the hole does not follow what is written next either, although its number does. */
START_TEST(what_is_behind_a_hole_is_lost_with_it)
{
    syncs = false;
    ck_assert_int_eq(life(write_three), 0);
    off_t third = where(0, "the third") - HEAD;
    make_hole(0, "second");
    expect("one", 1);
    applied = 1;
    ck_assert_int_eq(life(write_up_to_the_third), 0);
    ck_assert_int_eq(where(0, "there.") + 6, third);
    expect("as long as the first two are, and so ends there.", 2);
}
END_TEST

START_TEST(nothing_may_be_left)
{
    syncs = false;
    ck_assert_int_eq(life(write_three), 0);
    make_hole(0, "one");
    expect("", 0);
    ck_assert_uint_eq(seen->calls, 0);
    ck_assert_int_eq(life(write_four), 0);
    expect("fourth", 1);
}
END_TEST

static int write_two_and_apply(void)
{
    int rc = append("one");
    if (!rc) rc = append("second");
    if (!rc) rc = journal_apply();
    return rc ? rc : append("the third");
}

/* A hole in what the store has is none, unless the store does not have it. */
START_TEST(a_hole_in_what_was_safe_is_damage)
{
    syncs = false;
    ck_assert_int_eq(life(write_two_and_apply), 0);
    make_hole(0, _i ? "second" : "one");
    applied = _i;
    ck_assert_int_eq(life(NULL), JOURNAL_DAMAGED);
    applied = 2;
    expect("", 2);
    ck_assert_int_eq(life(write_four), 0);
    expect("fourth", 3);
}
END_TEST

/* Round and round. */

enum { ROUNDS = 50, BIG = 2 * MIB, EACH = FILE_BYTES / BIG - 1 }; /* EACH: in a file */

/* The number is in the entry: what is applied is looked through for it. */
static int apply_big(const char *writes, size_t len, uint64_t number)
{
    for (size_t at = 0; at < len; at += BIG) {
        uint64_t n;
        memcpy(&n, writes + at, sizeof n);
        if (n != ++seen->number || writes[at + BIG - 1] != 'z') return EILSEQ;
    }
    seen->calls++;
    return seen->number == number ? 0 : EILSEQ;
}

static int write_big(uint64_t from, uint64_t to)
{
    char *big = calloc(1, BIG);
    int rc = 0;
    big[BIG - 1] = 'z';
    for (uint64_t n = from; n <= to && !rc; n++) {
        memcpy(big, &n, sizeof n);
        rc = journal_append(big, BIG);
    }
    free(big);
    return rc;
}

/* A life with big entries, which goes on from where the last was applied; *deed may be NULL. */
static void big_life(int (*deed)(void))
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) {
        seen->number = applied;
        seen->calls = 0;
        seen->rc = journal_open(dir, &secret, syncs, applied, apply_big);
        if (!seen->rc && deed) seen->rc = deed();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(seen->rc, 0);
}

static int write_rounds(void)
{
    return write_big(applied + 1, applied + ROUNDS);
}

/* More than both files hold: what is written over was applied before. */
START_TEST(the_files_are_used_in_turn)
{
    for (int times = 0; times < 2; times++) {
        uint64_t last = applied + ROUNDS;
        big_life(write_rounds);
        ck_assert_uint_ge(seen->calls, 1);
        ck_assert_uint_lt(seen->number, last); /* some are left for the next */
        applied = seen->number;
        big_life(NULL);
        ck_assert_uint_eq(seen->number, last);
        applied = last;
    }
}
END_TEST

static int write_and_apply_in_between(void)
{
    int rc = write_big(1, EACH + EACH / 2);
    if (!rc) rc = journal_apply();
    return rc ? rc : write_big(EACH + EACH / 2 + 1, 2 * EACH + EACH / 2);
}

START_TEST(the_second_file_may_be_the_older)
{
    big_life(write_and_apply_in_between);
    ck_assert_uint_eq(seen->number, EACH + EACH / 2);
    applied = seen->number;
    big_life(NULL);
    ck_assert_uint_eq(seen->number, 2 * EACH + EACH / 2);
}
END_TEST

static int write_over_both(void)
{
    return write_big(applied + 1, applied + EACH + EACH / 2);
}

/* The other file has what follows. */
START_TEST(what_is_behind_a_hole_is_lost_in_both_files)
{
    uint64_t none[2] = {0};
    syncs = false;
    big_life(write_over_both);
    write_at(0, 16 + (EACH - 1) * (off_t)(BIG + HEAD), none, sizeof none);
    for (int times = 0; times < 2; times++) {
        big_life(NULL);
        ck_assert_uint_eq(seen->number, EACH - 1);
    }
    applied = EACH - 1;
    big_life(write_over_both);
    big_life(NULL);
    ck_assert_uint_eq(seen->number, applied + EACH + EACH / 2);
}
END_TEST

static int write_large(void)
{
    size_t n = FILE_BYTES + 5 * MIB;
    char *large = malloc(n);
    memset(large, 'l', n);
    int rc = append("before");
    if (!rc) rc = journal_append(large, n);
    free(large);
    return rc;
}

START_TEST(an_entry_may_be_larger_than_a_file)
{
    ck_assert_int_eq(life(write_large), 0);
    ck_assert_int_eq(life(write_four), 0);
    ck_assert_uint_eq(seen->len, 6 + FILE_BYTES + 5 * MIB);
    ck_assert_uint_eq(seen->number, 2);
    applied = 2;
    expect("fourth", 3);
}
END_TEST

/* What fails. */

static int write_while_nothing_is_applied(void)
{
    int rc = write_three();
    seen->fail = ENOSPC;
    if (!rc && journal_apply() != ENOSPC) return -1;
    if (!rc) rc = append("and more");
    if (!rc && journal_pending() != strlen("onesecondthe thirdand more")) return -2;
    seen->fail = 0;
    return rc ? rc : journal_apply();
}

START_TEST(what_could_not_be_applied_is_tried_again)
{
    ck_assert_int_eq(life(write_while_nothing_is_applied), 0);
    ck_assert_uint_eq(seen->number, 4);
    ck_assert_mem_eq(seen->text, "onesecondthe thirdand more", seen->len);
    seen->fail = ENOSPC;
    ck_assert_int_eq(life(NULL), ENOSPC);
    seen->fail = 0;
    expect("onesecondthe thirdand more", 4);
}
END_TEST

/* AddressSanitizer keeps what is freed for a while. */
#ifdef __SANITIZE_ADDRESS__
enum { FREES = false };
#else
enum { FREES = true };
#endif

/* Virtual memory of the process. */
static size_t pages(void)
{
    size_t n = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%zu", &n) != 1) n = 0;
    if (f) fclose(f);
    return n;
}

static int write_and_rest(void)
{
    size_t before = pages();
    int rc = write_three();
    journal_rest();
    if (!rc) rc = journal_apply();
    if (!rc) rc = append("and more");
    if (!rc) rc = journal_apply();
    if (!rc && pages() < before + FILE_BYTES / 4096) return -1; /* is kept for more */
    journal_rest();
    if (!rc && FREES && pages() > before + MIB / 4096) return -2;
    if (!rc) rc = append("at last");
    return rc ? rc : journal_apply();
}

START_TEST(rest_gives_back_memory_but_nothing_that_waits)
{
    ck_assert_int_eq(life(write_and_rest), 0);
    ck_assert_mem_eq(seen->text, "onesecondthe thirdand moreat last", seen->len);
    ck_assert_uint_eq(seen->calls, 3);
}
END_TEST

static int write_until_full(void)
{
    char *big = calloc(1, BIG);
    int rc = 0, n = 0;
    seen->fail = ENOSPC;
    for (; !rc && n < 100; n++) rc = journal_append(big, BIG);
    free(big);
    if (rc != ENOSPC) return -1;
    if (journal_append("x", 1) == 0) seen->calls = 1; /* a little may still go into this file */
    seen->fail = 0;
    seen->len = 0;
    rc = journal_append("room again", 10);
    return rc ? rc : journal_apply();
}

/* Both files are full and the store takes nothing: an entry is refused, none is written over. */
START_TEST(what_is_not_applied_is_not_written_over)
{
    ck_assert_int_eq(life(write_until_full), 0);
    size_t all = seen->len;
    uint64_t last = seen->number;
    ck_assert_uint_ge(all, 2 * (FILE_BYTES / BIG - 1) * (size_t)BIG);
    ck_assert_int_eq(life(NULL), 0);
    ck_assert_uint_eq(seen->number, last);
    ck_assert_uint_le(seen->len, all);
}
END_TEST

static void limit_files(rlim_t bytes)
{
    struct rlimit r = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &r);
    r.rlim_cur = bytes < r.rlim_max ? bytes : r.rlim_max;
    setrlimit(RLIMIT_FSIZE, &r);
}

static int write_without_room(void)
{
    int rc = append("one");
    limit_files(64);
    if (!rc && append("a part of this is written") != ENOSPC) return -1;
    limit_files(32);
    if (!rc && append("nothing of this") != EFBIG) return -2;
    limit_files(RLIM_INFINITY);
    return rc ? rc : append("but this");
}

/* A limit of the process is met as a full disk is, with another code. */
START_TEST(an_entry_without_room_is_refused_and_is_not_there)
{
    ck_assert_int_eq(life(write_without_room), 0);
    expect("onebut this", 2);
}
END_TEST

static int write_without_memory(void)
{
    int rc = append("one");
    seen->fail = ENOSPC;
    if (!rc && journal_append("", (size_t)1 << 46) != ENOMEM) return -1;
    if (!rc && journal_apply() != ENOSPC) return -2;
    if (!rc && journal_append("", (size_t)1 << 46) != ENOMEM) return -3;
    seen->fail = 0;
    if (!rc) rc = append("but this");
    return rc ? rc : journal_apply();
}

START_TEST(an_entry_without_memory_is_refused_and_is_not_there)
{
    ck_assert_int_eq(life(write_without_memory), 0);
    ck_assert_mem_eq(seen->text, "onebut this", seen->len);
    expect("onebut this", 2);
}
END_TEST

START_TEST(a_journal_without_room_does_not_open)
{
    limit_files(MIB);
    int rc = life(NULL);
    limit_files(RLIM_INFINITY);
    ck_assert_int_eq(rc, EFBIG);
    ck_assert_int_eq(life(write_three), 0);
    expect("onesecondthe third", 3);
}
END_TEST

/* What is not ours. */

START_TEST(files_of_others_are_left_alone)
{
    char text[] = "Dear diary, today", now[sizeof text], path[96];
    path_of(_i, path);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    ck_assert_int_eq(life(NULL), JOURNAL_FOREIGN);
    read_at(_i, 0, now, sizeof text - 1);
    ck_assert_mem_eq(now, text, sizeof text - 1);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, sizeof text - 1);
}
END_TEST

static int open_with_other_secret(void)
{
    journal_close();
    return journal_open(dir, &other_secret, syncs, applied, apply);
}

START_TEST(a_journal_of_another_store_or_version_is_left_alone)
{
    unsigned char version = 9;
    ck_assert_int_eq(life(write_three), 0);
    ck_assert_int_eq(life(open_with_other_secret), JOURNAL_FOREIGN);
    expect("onesecondthe third", 3);
    write_at(0, 7, &version, 1);
    ck_assert_int_eq(life(NULL), JOURNAL_FOREIGN);
}
END_TEST

/* The store has less than it had, so entries are missing in between: that is not passed over. */
START_TEST(a_gap_between_store_and_journal_is_told)
{
    ck_assert_int_eq(life(write_three), 0);
    applied = 3;
    ck_assert_int_eq(life(write_four), 0);
    applied = 2;
    ck_assert_int_eq(life(NULL), JOURNAL_GAP);
    ck_assert_uint_eq(seen->calls, 0);
    applied = 3;
    expect("fourth", 4);
}
END_TEST

START_TEST(a_directory_that_is_not_there)
{
    ck_assert_int_eq(rmdir(dir), 0);
    ck_assert_int_eq(life(NULL), ENOENT);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("journal");
    TCase *t = tcase_create("journal");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, entries_come_back_in_order);
    tcase_add_test(t, an_entry_may_be_empty);
    tcase_add_test(t, what_is_applied_is_not_applied_again);
    tcase_add_test(t, entries_are_written_over_old_ones);
    tcase_add_test(t, an_entry_that_is_cut_off_anywhere_is_none);
    tcase_add_test(t, a_file_that_is_cut_off_anywhere_has_what_is_before);
    tcase_add_test(t, a_bit_that_is_wrong_in_the_last_entry_is_seen);
    tcase_add_loop_test(t, a_bit_that_is_wrong_in_an_entry_before_is_told, 0, 2);
    tcase_add_loop_test(t, what_stands_behind_the_end_is_nothing, 0, 4);
    tcase_add_test(t, a_value_that_looks_like_an_entry_is_none);
    tcase_add_loop_test(t, an_unsynced_entry_outlives_the_process, 0, 2);
    tcase_add_test(t, what_is_behind_a_hole_is_lost_with_it);
    tcase_add_test(t, nothing_may_be_left);
    tcase_add_loop_test(t, a_hole_in_what_was_safe_is_damage, 0, 2);
    tcase_add_test(t, the_files_are_used_in_turn);
    tcase_add_test(t, the_second_file_may_be_the_older);
    tcase_add_test(t, what_is_behind_a_hole_is_lost_in_both_files);
    tcase_add_test(t, an_entry_may_be_larger_than_a_file);
    tcase_add_test(t, what_could_not_be_applied_is_tried_again);
    tcase_add_test(t, rest_gives_back_memory_but_nothing_that_waits);
    tcase_add_test(t, what_is_not_applied_is_not_written_over);
    tcase_add_test(t, an_entry_without_room_is_refused_and_is_not_there);
    tcase_add_test(t, an_entry_without_memory_is_refused_and_is_not_there);
    tcase_add_test(t, a_journal_without_room_does_not_open);
    tcase_add_loop_test(t, files_of_others_are_left_alone, 0, 2);
    tcase_add_test(t, a_journal_of_another_store_or_version_is_left_alone);
    tcase_add_test(t, a_gap_between_store_and_journal_is_told);
    tcase_add_test(t, a_directory_that_is_not_there);
    suite_add_tcase(s, t);
    return dirs_run(s);
}
