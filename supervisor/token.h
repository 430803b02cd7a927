/* SPDX-License-Identifier: MIT */
/* token.h - a scope's cancel token. Both take NULL. */
#ifndef BSK_TOKEN_H
#define BSK_TOKEN_H

#include "supervisor.h"

/* The scope is cancelled, and so is the token. */
void token_scope_cancelled(bsk_token *t);
/* The scope is gone, and drops it. */
void token_scope_over(bsk_token *t);

#endif
