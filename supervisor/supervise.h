/* SPDX-License-Identifier: MIT */
/* supervise.h - what a supervisor is asked, and how it is answered. */
#ifndef BSK_SUPERVISE_H
#define BSK_SUPERVISE_H

#include "children.h"

enum sup_op {
    SUP_NOTHING, /* answered once all children are ready */
    SUP_ADD,
    SUP_RESTART,
    SUP_STOP,
    SUP_STOP_ACTOR,
    SUP_DELETE,
    SUP_CHANGE,
    SUP_COUNT,
    SUP_LIST,
    SUP_CHILD
};

/* These types are the library's own. */
#undef BSK_ONE_
#define BSK_ONE_ __attribute__((weak, visibility("hidden")))

/* `order` holds what the request is about, a struct order. */
BSK_MSG(sup_answer, (i64, rc), (addr, who), (i64, info), (str, why), (blob, data));
BSK_CALL(sup_request, sup_answer, (i64, op), (str, id), (addr, who), (blob, order));

/* Serves a request; anything else is a dead letter. */
void sup_serve(struct sup *s, bsk_msg *m);
/* Stops all children, the youngest first; a dynamic supervisor's all at once. */
void sup_stop_all(struct sup *s);

#endif
