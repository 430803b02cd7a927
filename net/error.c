/* SPDX-License-Identifier: MIT */
#include "error.h"

#include "mailbox/mailbox.h"

#include <uv.h>

int net_code(int uv)
{
    switch (uv) {
    case 0: return 0;
    case UV_ENOMEM:
    case UV_ENOBUFS: return BSK_ENOMEM;
    case UV_EINVAL:
    case UV_ENAMETOOLONG: return BSK_EINVAL;
    case UV_EACCES:
    case UV_EPERM: return BSK_EACCES;
    case UV_EMFILE:
    case UV_ENFILE: return BSK_EMFILE;
    case UV_ENOENT: return BSK_ENOTFOUND;
    case UV_EEXIST: return BSK_EEXIST;
    case UV_ENOSPC: return BSK_ENOSPC;
    case UV_ECANCELED: return BSK_ECANCELED;
    case UV_ETIMEDOUT: return BSK_ETIMEDOUT;
    case UV_ECONNRESET:
    case UV_ECONNABORTED: return BSK_ERESET;
    case UV_EPIPE:
    case UV_ENOTCONN:
    case UV_ESHUTDOWN: return BSK_EPIPE;
    case UV_ECONNREFUSED: return BSK_EREFUSED;
    case UV_EADDRINUSE: return BSK_EADDRINUSE;
    case UV_EADDRNOTAVAIL:
    case UV_EAFNOSUPPORT: return BSK_EADDR;
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH:
    case UV_ENETDOWN: return BSK_EHOST;
    case UV_ENOTSUP:
    case UV_ENOSYS: return BSK_ENOTSUP;
    case UV_EOF: return BSK_EEOF;
    default: return uv <= UV_EAI_ADDRFAMILY && uv >= UV_EAI_PROTOCOL ? BSK_EHOST : BSK_EIO;
    }
}
