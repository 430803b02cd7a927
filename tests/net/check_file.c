/* SPDX-License-Identifier: MIT */
/* check_file.c - files: what is asked of the pool, what goes wrong there, and giving up on it.
 *
 * ctest: timeout=120 */
#include "open.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

BSK_CALL(behind, num);

static char dir[64];
static char path[256], other_path[256];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void make_dir(void)
{
    strcpy(dir, "/tmp/bsk_file_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/one", dir);
    snprintf(other_path, sizeof other_path, "%s/two", dir);
}

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void run_fiber(bsk_fiber *fiber)
{
    make_dir();
    open_run(fiber);
    remove_dir();
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void expect_text(bsk_bytes b, const char *text)
{
    ck_assert_uint_eq(b.len, strlen(text));
    ck_assert(memcmp(b.ptr, text, b.len) == 0);
}

/* Reading and writing. */

static void write_and_read(bsk_self *self)
{
    bsk_file f;
    bsk_bytes b;
    OK(bsk_file_open(self, path, 5000, &f, .write = true, .create = true));
    OK(bsk_file_write(self, f, 0, BSK_BYTES("hello world"), 5000));
    OK(bsk_file_write(self, f, 6, BSK_BYTES("there"), 5000));
    OK(bsk_file_sync(self, f, true, 5000));
    OK(bsk_file_sync(self, f, false, 5000));
    ck_assert_int_eq(bsk_file_read(self, f, 0, 100, &b, 5000), 11);
    expect_text(b, "hello there");
    ck_assert_int_eq(bsk_file_read(self, f, 6, 3, &b, 5000), 3);
    expect_text(b, "the");
    ck_assert_int_eq(bsk_file_read(self, f, 11, 3, &b, 5000), 0);
    ck_assert_uint_eq(b.len, 0);
    ck_assert_int_eq(bsk_file_read(self, f, 0, 0, &b, 5000), 0);
    bsk_file_close(self, f);
    bsk_file_close(self, f);
    IS(BSK_EBADF, bsk_file_read(self, f, 0, 3, &b, 5000));
    fix_hit();
}

START_TEST(what_is_written_is_read)
{
    run_fiber(write_and_read);
}
END_TEST

static void write_at_the_place(bsk_self *self)
{
    bsk_file f;
    bsk_bytes b;
    OK(bsk_file_open(self, path, 5000, &f, .write = true, .create = true));
    OK(bsk_file_write(self, f, BSK_HERE, BSK_BYTES("one"), 5000));
    OK(bsk_file_write(self, f, BSK_HERE, BSK_BYTES("two"), 5000));
    ck_assert_int_eq(bsk_file_read(self, f, BSK_HERE, 9, &b, 5000), 0);
    bsk_file_close(self, f);
    OK(bsk_file_open(self, path, 5000, &f, .append = true));
    OK(bsk_file_write(self, f, 0, BSK_BYTES("three"), 5000));
    OK(bsk_file_write(self, f, BSK_HERE, BSK_BYTES("."), 5000));
    ck_assert_int_eq(bsk_file_read(self, f, 0, 99, &b, 5000), 12);
    expect_text(b, "onetwothree.");
    OK(bsk_file_resize(self, f, 3, 5000));
    bsk_file_info_out info;
    OK(bsk_file_info(self, f, &info, 5000));
    ck_assert_int_eq(info.size, 3);
    ck_assert_int_eq(info.kind, '-');
    fix_hit();
}

START_TEST(writes_go_where_the_file_stands_or_to_its_end)
{
    run_fiber(write_at_the_place);
}
END_TEST

static void write_much(bsk_self *self)
{
    size_t n = 5 * 1024 * 1024 + 7;
    char *all = malloc(n);
    bsk_file f;
    bsk_bytes b;
    for (size_t i = 0; i < n; i++) all[i] = (char)(i * 31 >> 7);
    OK(bsk_file_open(self, path, 5000, &f, .write = true, .create = true));
    OK(bsk_file_write(self, f, 0, (bsk_bytes){all, n}, 20000));
    ck_assert_int_eq(bsk_file_read(self, f, 0, 2 * n, &b, 20000), (int)n);
    ck_assert(b.len == n && memcmp(b.ptr, all, n) == 0);
    free(all);
    /* What does not say how long it is. */
    bsk_file g;
    OK(bsk_file_open(self, "/proc/self/maps", 5000, &g));
    int all_of_it = bsk_file_read(self, g, 0, 1 << 20, &b, 5000);
    ck_assert_int_gt(all_of_it, 1000);
    OK(bsk_file_open(self, "/dev/zero", 5000, &g));
    ck_assert_int_eq(bsk_file_read(self, g, 0, 3000000, &b, 5000), 3000000);
    fix_hit();
}

START_TEST(much_is_written_and_read)
{
    run_fiber(write_much);
}
END_TEST

/* Whole files. */

static void load_and_save(bsk_self *self)
{
    bsk_bytes b;
    bsk_file_info_out info;
    IS(BSK_ENOTFOUND, bsk_file_load(self, path, 100, &b, 5000));
    OK(bsk_file_save(self, path, BSK_BYTES("first"), 0600, 5000));
    OK(bsk_path_info(self, path, &info, 5000));
    ck_assert_uint_eq(info.mode, 0600);
    OK(bsk_file_save(self, path, BSK_BYTES("second"), 0644, 5000));
    OK(bsk_path_info(self, path, &info, 5000));
    ck_assert_uint_eq(info.mode, 0600);
    ck_assert_int_eq(bsk_file_load(self, path, 6, &b, 5000), 6);
    expect_text(b, "second");
    IS(BSK_ELIMIT, bsk_file_load(self, path, 5, &b, 5000));
    OK(bsk_file_save(self, other_path, (bsk_bytes){NULL, 0}, 0, 5000));
    ck_assert_int_eq(bsk_file_load(self, other_path, 5, &b, 5000), 0);
    IS(BSK_EINVAL, bsk_file_save(self, dir, BSK_BYTES("x"), 0, 5000));
    char missing[300];
    snprintf(missing, sizeof missing, "%s/no/such", dir);
    IS(BSK_ENOTFOUND, bsk_file_save(self, missing, BSK_BYTES("x"), 0, 5000));
    bsk_list list;
    char kind = 0;
    OK(bsk_path_list(self, dir, &list, 5000));
    ck_assert_str_eq(bsk_list_next(&list, &kind), "one");
    ck_assert_int_eq(kind, '-');
    ck_assert_str_eq(bsk_list_next(&list, NULL), "two");
    ck_assert_ptr_null(bsk_list_next(&list, &kind));
    fix_hit();
}

START_TEST(a_whole_file_is_saved_and_loaded)
{
    run_fiber(load_and_save);
}
END_TEST

static void save_too_much(bsk_self *self)
{
    static char big[100000];
    bsk_bytes b;
    bsk_file f;
    bsk_list list;
    struct rlimit was, small = {10000, 10000};
    OK(bsk_file_save(self, path, BSK_BYTES("old"), 0, 5000));
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
    small.rlim_max = was.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    IS(BSK_ENOSPC, bsk_file_save(self, path, (bsk_bytes){big, sizeof big}, 0, 5000));
    OK(bsk_file_open(self, other_path, 5000, &f, .write = true, .create = true));
    IS(BSK_ENOSPC, bsk_file_write(self, f, 0, (bsk_bytes){big, sizeof big}, 5000));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
    ck_assert_int_eq(bsk_file_load(self, path, 100, &b, 5000), 3);
    expect_text(b, "old");
    OK(bsk_path_list(self, dir, &list, 5000));
    ck_assert_str_eq(bsk_list_next(&list, NULL), "one");
    ck_assert_str_eq(bsk_list_next(&list, NULL), "two");
    ck_assert_ptr_null(bsk_list_next(&list, NULL));
    fix_hit();
}

START_TEST(a_file_that_cannot_be_saved_stays_as_it_was)
{
    run_fiber(save_too_much);
}
END_TEST

/* Paths. */

static void use_paths(bsk_self *self)
{
    char sub[300];
    bsk_file_info_out info;
    bsk_list list;
    char kind;
    snprintf(sub, sizeof sub, "%s/sub", dir);
    OK(bsk_path_mkdir(self, sub, 0755, 5000));
    IS(BSK_EEXIST, bsk_path_mkdir(self, sub, 0755, 5000));
    put(path, "abc");
    OK(bsk_path_rename(self, path, other_path, 5000));
    IS(BSK_ENOTFOUND, bsk_path_info(self, path, &info, 5000));
    OK(bsk_path_info(self, other_path, &info, 5000));
    ck_assert_int_eq(info.size, 3);
    OK(bsk_path_info(self, sub, &info, 5000));
    ck_assert_int_eq(info.kind, 'd');
    OK(bsk_path_list(self, dir, &list, 5000));
    ck_assert_str_eq(bsk_list_next(&list, &kind), "sub");
    ck_assert_int_eq(kind, 'd');
    IS(BSK_ENOTFOUND, bsk_path_list(self, path, &list, 5000));
    IS(BSK_ENOTFOUND, bsk_path_list(self, other_path, &list, 5000));
    IS(BSK_EEXIST, bsk_path_remove(self, dir, 5000));
    OK(bsk_path_remove(self, other_path, 5000));
    IS(BSK_ENOTFOUND, bsk_path_remove(self, other_path, 5000));
    bsk_file f;
    OK(bsk_file_open(self, dir, 5000, &f));
    OK(bsk_file_sync(self, f, false, 5000));
    OK(bsk_path_remove(self, sub, 5000));
    IS(BSK_EINVAL, bsk_path_remove(self, "", 5000));
    IS(BSK_EINVAL, bsk_path_remove(self, NULL, 5000));
    IS(BSK_EINVAL, bsk_path_rename(self, path, NULL, 5000));
    fix_hit();
}

START_TEST(directories_and_names_are_changed)
{
    run_fiber(use_paths);
}
END_TEST

static void list_many(bsk_self *self)
{
    char name[300];
    bsk_list list;
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "%s/%03d", dir, i);
        put(name, "");
    }
    OK(bsk_path_list(self, dir, &list, 5000));
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "%03d", i);
        ck_assert_str_eq(bsk_list_next(&list, NULL), name);
    }
    ck_assert_ptr_null(bsk_list_next(&list, NULL));
    fix_hit();
}

START_TEST(a_list_is_sorted_by_name)
{
    run_fiber(list_many);
}
END_TEST

/* What goes wrong. */

static void open_in_vain(bsk_self *self)
{
    bsk_file f = {77};
    bsk_bytes b;
    IS(BSK_ENOTFOUND, bsk_file_open(self, path, 5000, &f));
    put(path, "x");
    IS(BSK_EEXIST, bsk_file_open(self, path, 5000, &f, .write = true, .exclusive = true));
    IS(BSK_EINVAL, bsk_file_open(self, dir, 5000, &f, .write = true));
    ck_assert_int_eq(mkfifo(other_path, 0600), 0);
    IS(BSK_ENOTSUP, bsk_file_open(self, other_path, 5000, &f));
    IS(BSK_ENOTSUP, bsk_file_open(self, other_path, 5000, &f, .write = true));
    IS(BSK_EINVAL, bsk_file_open(self, "", 5000, &f));
    IS(BSK_EINVAL, bsk_file_open(self, NULL, 5000, &f));
    ck_assert_uint_eq(f.id, 77);
    OK(bsk_file_open(self, path, 5000, &f));
    IS(BSK_EINVAL, bsk_file_write(self, f, 0, BSK_BYTES("no"), 5000));
    IS(BSK_EINVAL, bsk_file_read(self, f, -2, 1, &b, 5000));
    IS(BSK_EINVAL, bsk_file_read(self, f, 0, SIZE_MAX, &b, 5000));
    IS(BSK_EINVAL, bsk_file_resize(self, f, -1, 5000));
    IS(BSK_EBADF, bsk_file_sync(self, (bsk_file){0}, false, 5000));
    IS(BSK_EBADF, bsk_file_sync(self, (bsk_file){UINT64_MAX}, false, 5000));
    OK(bsk_file_open(self, "/dev/full", 5000, &f, .write = true));
    IS(BSK_ENOSPC, bsk_file_write(self, f, 0, BSK_BYTES("no"), 5000));
    fix_hit();
}

START_TEST(opening_and_writing_fail_with_a_code)
{
    run_fiber(open_in_vain);
}
END_TEST

static void open_too_many(bsk_self *self)
{
    struct rlimit was, few;
    bsk_file f;
    put(path, "x");
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
    few = was;
    few.rlim_cur = open_fds() + 8;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    int rc, n = 0;
    while ((rc = bsk_file_open(self, path, 5000, &f)) == 0) n++;
    IS(BSK_EMFILE, rc);
    ck_assert_int_gt(n, 2);
    bsk_file_close(self, f);
    OK(bsk_file_open(self, path, 5000, &f));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
    fix_hit();
}

START_TEST(without_descriptors_opening_says_so)
{
    run_fiber(open_too_many);
}
END_TEST

static void as_nobody(bsk_self *self)
{
    bsk_file f;
    bsk_bytes b;
    IS(BSK_EACCES, bsk_file_open(self, path, 5000, &f));
    IS(BSK_EACCES, bsk_file_load(self, path, 5, &b, 5000));
    IS(BSK_EACCES, bsk_file_save(self, other_path, BSK_BYTES("x"), 0, 5000));
    fix_hit();
}

START_TEST(without_permission_opening_says_so)
{
    make_dir();
    put(path, "x");
    ck_assert_int_eq(chmod(path, 0), 0);
    ck_assert_int_eq(chmod(dir, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        if (getuid() == 0 && setuid(65534)) _exit(1);
        bsk_rt *rt = bsk_start(.workers = 1);
        bsk_spawn(rt, as_nobody);
        _exit(bsk_wait(rt) == 0 && fix_hits() == 1 ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(chmod(dir, 0755), 0);
    remove_dir();
}
END_TEST

/* For handlers. */

struct seen {
    bsk_file f;
    bsk_addr opener;
};

static void handle_results(bsk_self *self, bsk_msg *m)
{
    bsk_file *f = bsk_state(self);
    bsk_match(m) {
        bsk_on(stop_it, s) {
            int fd = open(path, O_RDWR | O_CREAT, 0600);
            OK(bsk_file_take(self, fd, f));
            close(fd);
            bsk_bytes b;
            IS(BSK_EINVAL, bsk_file_read(self, *f, 0, 1, &b, 100));
            OK(bsk_file_ask_write(self, *f, 0, BSK_BYTES("text"), 5000));
        }
        bsk_on_reply(bsk_file_put, r) {
            ck_assert(r->file == f->id && r->at == 0 && r->code == 0);
            OK(bsk_file_ask_sync(self, *f, true, 5000));
        }
        bsk_on_reply(bsk_file_flush, r) {
            ck_assert(r->file == f->id && r->code == 0);
            OK(bsk_file_ask_read(self, *f, 1, 9, 5000));
        }
        bsk_on_reply(bsk_file_get, r) {
            ck_assert(r->file == f->id && r->at == 1 && r->code == 3);
            expect_text(bsk_blob_bytes(r->data), "ext");
            bsk_file_close(self, *f);
            IS(BSK_EBADF, bsk_file_ask_read(self, *f, 1, 9, 5000));
            IS(BSK_EBADF, bsk_file_ask_write(self, *f, 1, BSK_BYTES("x"), 5000));
            IS(BSK_EBADF, bsk_file_ask_sync(self, *f, false, 5000));
            fix_hit();
            bsk_exit(self);
        }
    }
}

START_TEST(a_handler_gets_results_as_messages)
{
    make_dir();
    bsk_rt *rt = bsk_start(.workers = 1, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, handle_results, BSK_STATE(bsk_file, 0)));
    bsk_tell(a, stop_it);
    fix_await(1);
    fix_stop(rt, 0);
    ck_assert_uint_eq(fix_dead_all(), 0);
    remove_dir();
}
END_TEST

/* Giving up, and who is gone. */

/* Holds the pool's only thread until the test opens the gate. */
static void behind_gate(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(behind, b) {
            fix_hit();
            pthread_mutex_lock(&gate);
            pthread_mutex_unlock(&gate);
            bsk_reply(b, behind, .v = 1);
        }
    }
}

static void hold_pool(bsk_self *self)
{
    ck_assert_ptr_nonnull(bsk_work_call(self, BSK_FOREVER, behind_gate, behind));
}

static void wait_for_pool(bsk_self *self)
{
    char text[] = "new text";
    bsk_file f;
    IS(BSK_ETIMEDOUT, bsk_file_open(self, path, 20, &f, .write = true, .create = true));
    IS(BSK_ETIMEDOUT, bsk_file_save(self, path, (bsk_bytes){text, 8}, 0, 20));
    memset(text, '?', sizeof text);
    fix_hit();
    fix_say(bsk_errname(bsk_path_remove(self, path, BSK_FOREVER)));
    fix_hit();
}

START_TEST(who_waits_for_the_pool_gives_up_at_once)
{
    make_dir();
    put(path, "old");
    bsk_rt *rt = bsk_start(.workers = 1, .work_threads = 1, FIX_HOOKS);
    pthread_mutex_lock(&gate);
    fix_born(bsk_spawn(rt, hold_pool));
    fix_await(1);
    bsk_addr a = fix_born(bsk_spawn(rt, wait_for_pool));
    fix_await(2);
    ck_assert_int_eq(bsk_stop(a, BSK_FOREVER), 0);
    fix_await(3);
    pthread_mutex_unlock(&gate);
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert(strcmp(fix_said(), "ECANCELED") == 0);
    ck_assert_int_eq(access(path, F_OK), 0);
    remove_dir();
}
END_TEST

static void ask_too_much(bsk_self *self)
{
    bsk_file f;
    int rc = 0, n = 0;
    OK(bsk_file_open(self, "/dev/null", 5000, &f, .write = true));
    fix_hit();
    while (bsk_mailbox_len(self) == 0) OK(bsk_sleep(self, 1));
    while ((rc = bsk_file_ask_write(self, f, 0, BSK_BYTES("x"), 5000)) == 0) n++;
    IS(BSK_EFULL, rc);
    ck_assert_int_eq(n, 3);
    IS(BSK_EFULL, bsk_file_write(self, f, 0, BSK_BYTES("x"), 5000));
    fix_hit();
    for (int done = 0; done < 3;)
        bsk_match(bsk_recv(self, 20000)) {
            bsk_on_reply(bsk_file_put, r) done += r->code == 0;
            bsk_on(stop_it, s) continue;
        }
}

START_TEST(no_more_is_asked_of_the_pool_than_its_queue_holds)
{
    bsk_rt *rt = bsk_start(.workers = 1, .work_threads = 1, .work_queue = 3, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, ask_too_much));
    fix_await(1);
    pthread_mutex_lock(&gate);
    fix_born(bsk_spawn(rt, hold_pool));
    fix_await(2);
    bsk_tell(a, stop_it);
    fix_await(3);
    pthread_mutex_unlock(&gate);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static bsk_addr opener;

/* Opens again and again, and is killed somewhere in between. */
static void open_for_ever(bsk_self *self)
{
    fix_hit();
    for (;;) {
        bsk_file f;
        bsk_bytes b;
        if (bsk_file_open(self, path, BSK_FOREVER, &f, .write = true)) return;
        if (bsk_file_write(self, f, 0, BSK_BYTES("0123456789"), BSK_FOREVER)) return;
        if (bsk_file_read(self, f, 0, 5, &b, BSK_FOREVER) < 0) return;
        if (bsk_random(self) & 1) bsk_file_close(self, f);
        if (bsk_random(self) % 64 == 0) bsk_fail(self, "crash");
    }
}

START_TEST(what_was_opened_for_nobody_is_closed)
{
    unsigned before = open_fds();
    make_dir();
    put(path, "x");
    bsk_rt *rt = bsk_start(.workers = 2, .work_threads = 3, .quiet = true, FIX_HOOKS);
    for (unsigned i = 0; i < 300; i++) {
        opener = fix_born(bsk_spawn(rt, open_for_ever));
        fix_await(i + 1);
        if (i % 3) bsk_kill(opener);
    }
    bsk_shutdown(rt);
    bsk_wait(rt);
    ck_assert_uint_eq(open_fds(), before);
    remove_dir();
}
END_TEST

static void open_seeded(bsk_self *self)
{
    bsk_file f;
    IS(BSK_ENOTSUP, bsk_file_open(self, "/dev/null", 100, &f));
    IS(BSK_ENOTSUP, bsk_file_take(self, 0, &f));
    IS(BSK_ENOTSUP, bsk_path_remove(self, "/no/such", 100));
    fix_hit();
}

START_TEST(a_seeded_runtime_has_no_files)
{
    bsk_rt *rt = bsk_start(.seed = 5, FIX_HOOKS);
    fix_born(bsk_spawn(rt, open_seeded));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
}
END_TEST

static void take_streams(bsk_self *self)
{
    int ends[2];
    bsk_file f;
    bsk_bytes b;
    ck_assert_int_eq(pipe(ends), 0);
    IS(BSK_ENOTSUP, bsk_file_take(self, ends[0], &f));
    close(ends[0]);
    close(ends[1]);
    IS(BSK_EINVAL, bsk_file_take(self, ends[0], &f));
    put(path, "input");
    int fd = open(path, O_RDONLY);
    OK(bsk_file_take(self, fd, &f));
    ck_assert_int_eq(bsk_file_read(self, f, BSK_HERE, 2, &b, 5000), 2);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 2);
    close(fd);
    ck_assert_int_eq(bsk_file_read(self, f, BSK_HERE, 9, &b, 5000), 3);
    fix_hit();
}

START_TEST(a_descriptor_is_taken_as_a_file)
{
    run_fiber(take_streams);
}
END_TEST

/* Want of memory. */

static void everything(bsk_self *self)
{
    bsk_file f;
    bsk_bytes b;
    bsk_list list;
    bsk_file_info_out info;
    if (bsk_file_open(self, path, BSK_FOREVER, &f, .write = true, .create = true) == 0) {
        (void)!bsk_file_write(self, f, 0, BSK_BYTES("0123456789"), BSK_FOREVER);
        (void)!bsk_file_read(self, f, 0, 100, &b, BSK_FOREVER);
        (void)!bsk_file_info(self, f, &info, BSK_FOREVER);
        (void)!bsk_file_ask_read(self, f, 0, 5, BSK_FOREVER);
    }
    (void)!bsk_file_save(self, other_path, BSK_BYTES("0123456789"), 0, BSK_FOREVER);
    (void)!bsk_file_load(self, other_path, 100, &b, BSK_FOREVER);
    (void)!bsk_path_list(self, dir, &list, BSK_FOREVER);
}

START_TEST(want_of_memory_is_a_code_and_nothing_is_left)
{
    make_dir();
    open_run_without_memory(everything, 120);
    remove_dir();
}
END_TEST

FIX_MAIN("file", 30, what_is_written_is_read, writes_go_where_the_file_stands_or_to_its_end,
         much_is_written_and_read, a_whole_file_is_saved_and_loaded,
         a_file_that_cannot_be_saved_stays_as_it_was, directories_and_names_are_changed,
         a_list_is_sorted_by_name, opening_and_writing_fail_with_a_code,
         without_descriptors_opening_says_so, without_permission_opening_says_so,
         a_handler_gets_results_as_messages, who_waits_for_the_pool_gives_up_at_once,
         no_more_is_asked_of_the_pool_than_its_queue_holds, what_was_opened_for_nobody_is_closed,
         a_seeded_runtime_has_no_files, a_descriptor_is_taken_as_a_file,
         want_of_memory_is_a_code_and_nothing_is_left)
