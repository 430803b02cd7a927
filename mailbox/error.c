/* SPDX-License-Identifier: MIT */
#include "mailbox.h"

const char *bsk_strerror(int rc)
{
#define TEXT_OF(name, text) [BSK_N_##name] = text,
    static const char *const texts[] = {[0] = "ok", BSK_ERRORS(TEXT_OF)};
#undef TEXT_OF
    return rc <= 0 && rc > -BSK_N_COUNT ? texts[-rc] : "unknown error";
}

const char *bsk_errname(int rc)
{
#define NAME_OF(name, text) [BSK_N_##name] = #name,
    static const char *const names[] = {[0] = "OK", BSK_ERRORS(NAME_OF)};
#undef NAME_OF
    return rc <= 0 && rc > -BSK_N_COUNT ? names[-rc] : "EUNKNOWN";
}
