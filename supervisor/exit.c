/* SPDX-License-Identifier: MIT */
/* Exit signals: what a link sends, and what anyone may send as if it were linked. */
#include "link.h"

#include "actors/send.h"

void bsk_trap_exit(bsk_self *self, bool on)
{
    act_set_flag(self, ACT_TRAP_EXIT, on);
}

static int send_exit(const struct way *way, bsk_addr from, bsk_addr to, enum bsk_reason reason,
                     const char *text)
{
    bsk_self *a = rt_slot(way->rt, to.slot);
    if (!a || !(to.gen & 1) || act_gen(a) != to.gen) return BSK_EDEAD;
    struct bsk_msg *m = exit_block(way->w, way->rt);
    bsk_blob *cause = NULL;
    if (m && *text) {
        cause = cause_new(&(struct cause){.reason = reason, .text = text, .file = "", .trace = ""});
        if (!cause) {
            snd_free_block(way->w, way->rt, m);
            m = NULL;
        }
    }
    if (!m) return BSK_ENOMEM;
    exit_deliver(way->w, way->rt, from, to, m, reason, cause);
    bsk_blob_drop(cause);
    return 0;
}

int bsk_send_exit(bsk_self *self, bsk_addr who, enum bsk_reason reason, const char *text)
{
    struct way way;
    if (!text) text = "";
    if (reason == BSK_KILLED) return bsk_kill(who);
    if ((unsigned)reason > BSK_CANCELLED) return BSK_EINVAL;
    if (self && bsk_same(bsk_me(self), who) && !(act_flags(self) & ACT_TRAP_EXIT))
        bsk_exit_as(self, reason, "%s", text);
    if (!snd_enter(who, &way)) return BSK_EDEAD;
    bsk_addr from = self ? bsk_me(self) : (bsk_addr){0, 0, 0};
    int rc = send_exit(&way, from, who, reason, text);
    snd_leave(&way);
    return rc;
}

int bsk_ties(bsk_addr who, bsk_ties_out *out)
{
    struct way way;
    if (!snd_enter(who, &way)) return BSK_EDEAD;
    int rc = tie_count(way.rt, who, out);
    snd_leave(&way);
    return rc;
}
