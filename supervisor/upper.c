/* SPDX-License-Identifier: MIT */
/* What the floor below tells this one, and where it goes. */
#include "upper.h"

#include "actors/end.h"
#include "actors/hooks.h"
#include "kin.h"
#include "link.h"
#include "monitor.h"
#include "tie.h"

static int init(struct bsk_rt *rt)
{
    struct upper *u = mem_zalloc(sizeof *u);
    if (!u) return BSK_ENOMEM;
    if (mon_init_slab(u)) {
        mem_free(u);
        return BSK_ENOMEM;
    }
    rt->upper = u;
    return 0;
}

static void fini(struct bsk_rt *rt)
{
    lnk_fini(rt->upper);
    slab_fini(&rt->upper->monitors);
    mem_free(rt->upper);
}

static void ended(struct worker *w, bsk_self *a, struct ending *e)
{
    enum bsk_reason reason;
    bsk_blob *cause = end_cause(e, &reason);
    tie_fire_all(w, a, reason, cause);
    if (e->kin) kin_ended(w, e->kin, reason, cause);
    bsk_blob_drop(cause);
}

const struct act_hooks act_hooks = {.init = init,
                                    .fini = fini,
                                    .look = kin_look,
                                    .linger = kin_linger,
                                    .release = kin_release,
                                    .ended = ended,
                                    .received = mon_received,
                                    .deadline = kin_deadline,
                                    .stopped = kin_stopped};
