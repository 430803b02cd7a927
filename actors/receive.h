/* SPDX-License-Identifier: MIT */
/* receive.h - what a selective receive has passed over. */
#ifndef BSK_RECEIVE_H
#define BSK_RECEIVE_H

#include "runtime.h"

/* Buries what a fiber that ends has passed over. */
void rcv_bury_saved(struct worker *w, bsk_self *a);

#endif
