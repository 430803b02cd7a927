/* SPDX-License-Identifier: MIT */
/* What the floor below tells this one, and where it goes. */
#include "upper.h"

#include "actors/end.h"
#include "actors/hooks.h"
#include "fault.h"
#include "kin.h"
#include "link.h"
#include "monitor.h"
#include "tie.h"

static int init(struct bsk_rt *rt)
{
    struct upper *u = mem_zalloc(sizeof *u);
    if (!u) return BSK_ENOMEM;
    int rc = mon_init_slab(u);
    if (rc) goto free_upper;
    rc = rt->opts.contain_faults ? fault_start() : 0;
    if (rc) goto fini_slab;
    rt->upper = u;
    return 0;
fini_slab:
    slab_fini(&u->monitors);
free_upper:
    mem_free(u);
    return rc;
}

static void fini(struct bsk_rt *rt)
{
    if (rt->opts.contain_faults) fault_stop();
    lnk_fini(rt->upper);
    slab_fini(&rt->upper->monitors);
    mem_free(rt->upper);
}

static struct slab *slab(struct bsk_rt *rt)
{
    return &rt->upper->monitors;
}

static void ended(struct worker *w, bsk_self *a, struct ending *e)
{
    enum bsk_reason reason;
    bsk_blob *cause = end_cause(e, &reason);
    tie_fire_all(w, a, reason, cause);
    if (e->kin) kin_ended(w, e->kin, reason, cause);
    bsk_blob_drop(cause);
}

static void enter(struct worker *w)
{
    if (w->rt->opts.contain_faults) fault_enter_thread(w);
}

static void leave(struct worker *w)
{
    if (w->rt->opts.contain_faults) fault_leave_thread(w);
}

const struct act_hooks act_hooks = {.init = init,
                                    .fini = fini,
                                    .slab = slab,
                                    .enter = enter,
                                    .leave = leave,
                                    .free_worker = fault_free_worker,
                                    .interrupt = fault_interrupt,
                                    .look = kin_look,
                                    .linger = kin_linger,
                                    .keep = kin_keep,
                                    .release = kin_release,
                                    .ended = ended,
                                    .received = mon_received,
                                    .deadline = kin_deadline,
                                    .waits_until = kin_waits_until,
                                    .stopped = kin_stopped};
