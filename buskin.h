/* SPDX-License-Identifier: MIT */
/* buskin.h - actors with bounded mailboxes for C. The front door: it includes the floors' faces. */
#ifndef BUSKIN_H
#define BUSKIN_H

#define BSK_VERSION_MAJOR 0
#define BSK_VERSION_MINOR 1
#define BSK_VERSION_PATCH 0

#include "mailbox/mailbox.h"
#include "actors/actors.h"
#include "supervisor/supervisor.h"
#include "net/net.h"

#endif
