/* SPDX-License-Identifier: MIT */
/* check_names.c - the case of a name that is free when its holder has ended.
 *
 * ctest: valgrind timeout=120 */
#include "conformance.h"

#define SEEDS 40

BSK_MSG(answer);
BSK_CALL(question, answer);

static enum end how_now;

static void end_when_asked(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) end_by(self, how_now);
    }
    if (how_now == END_RETURN) bsk_exit(self);
}

static void wait_and_end(bsk_self *self)
{
    expect(bsk_recv(self, BSK_FOREVER) != NULL);
    end_by(self, how_now);
}

static bsk_addr spawn_named(bsk_rt *rt, bool handler)
{
    return handler ? bsk_spawn(rt, end_when_asked, .name = "one of a kind")
                   : bsk_spawn(rt, wait_and_end, .name = "one of a kind");
}

static void take_again_and_again(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    for (int i = 0; i < 5; i++) {
        expect(bsk_is_nobody(bsk_whereis(rt, "one of a kind")));
        bsk_addr a = spawn_named(rt, i % 2);
        expect(bsk_same(bsk_whereis(rt, "one of a kind"), a));
        expect(bsk_is_nobody(spawn_named(rt, i % 2)));
        expect_eq(bsk_error(self), BSK_EEXIST);
        expect(bsk_same(bsk_whereis(rt, "one of a kind"), a));
        expect(!bsk_call(self, a, 1000, question));
        expect_eq(bsk_error(self), BSK_ENOREPLY);
        expect_eq(reason_of(a), reason_for(how_now));
    }
}

START_TEST(NAM_001_the_name_of_an_actor_that_ended_is_free)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), take_again_and_again);
}
END_TEST

/* Who hears of the end by a request that is not answered can take the name at once. A handler that
 * was told to end while it has a request drops that first: so then it is fibers only. */
START_TEST(NAM_001_the_name_is_free_before_an_asker_hears_of_the_end)
{
    how_now = (enum end)_i;
    bsk_rt *rt = start_parallel(2);
    for (int round = 0; round < 2000; round++) {
        bsk_addr a = spawn_named(rt, round % 2 && how_now < END_STOPPED);
        if (bsk_is_nobody(a)) ck_abort_msg("round %d: %s", round, bsk_errname(bsk_error(NULL)));
        expect(!bsk_call(NULL, a, BSK_FOREVER, question));
    }
    expect_eq(bsk_wait(rt), status_for(how_now));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("names");
    tcase_add_loop_test(t, NAM_001_the_name_of_an_actor_that_ended_is_free, 0, END_COUNT);
    tcase_add_loop_test(t, NAM_001_the_name_is_free_before_an_asker_hears_of_the_end, 0, END_COUNT);
    return run_suite("names", t, 20);
}
