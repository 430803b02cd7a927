/* SPDX-License-Identifier: MIT */
/* Directories, listed: for each entry a byte that says what it is, its name, and a zero. */
#include "disk.h"

#include "mailbox/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct entries {
    char **all; /* each as in the list */
    size_t n, size, bytes;
};

static char kind_of(DIR *dir, const struct dirent *e)
{
    struct stat st;
    switch (e->d_type) {
    case DT_REG: return '-';
    case DT_DIR: return 'd';
    case DT_LNK: return 'l';
    case DT_FIFO: return 'p';
    case DT_SOCK: return 's';
    case DT_CHR: return 'c';
    case DT_BLK: return 'b';
    default: break;
    }
    /* Some file systems do not say. */
    if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW)) return '-';
    return S_ISDIR(st.st_mode) ? 'd' : S_ISLNK(st.st_mode) ? 'l' : '-';
}

static int grow(struct entries *es)
{
    size_t size = es->size ? 2 * es->size : 64;
    char **all = mem_alloc(size * sizeof *all);
    if (!all) return BSK_ENOMEM;
    if (es->n) memcpy(all, es->all, es->n * sizeof *all);
    mem_free(es->all);
    es->all = all;
    es->size = size;
    return 0;
}

static int add(struct entries *es, char kind, const char *name)
{
    size_t n = strlen(name) + 2;
    if (es->n == es->size && grow(es)) return BSK_ENOMEM;
    char *e = mem_alloc(n);
    if (!e) return BSK_ENOMEM;
    *e = kind;
    memcpy(e + 1, name, n - 1);
    es->all[es->n++] = e;
    es->bytes += n;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

static void free_bytes(void *data, void *arg)
{
    (void)arg;
    mem_free(data);
}

/* All of it in one piece. */
static int pack(const struct entries *es, bsk_blob **out)
{
    char *bytes = mem_alloc(es->bytes + 1), *to = bytes;
    if (!bytes) return BSK_ENOMEM;
    if (es->n) qsort(es->all, es->n, sizeof *es->all, by_name);
    for (size_t i = 0; i < es->n; i++) {
        size_t n = strlen(es->all[i] + 1) + 2;
        memcpy(to, es->all[i], n);
        to += n;
    }
    *out = bsk_blob_take(bytes, es->bytes, free_bytes, NULL);
    if (*out) return 0;
    mem_free(bytes);
    return BSK_ENOMEM;
}

static int collect(DIR *dir, struct entries *es)
{
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(dir);
        if (!e) return errno ? disk_code(-errno) : 0;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        int rc = add(es, kind_of(dir, e), e->d_name);
        if (rc) return rc;
    }
}

int disk_list(const char *path, bsk_blob **out)
{
    struct entries es = {0};
    DIR *dir = opendir(path);
    if (!dir) return disk_code(-errno);
    int rc = collect(dir, &es);
    closedir(dir);
    if (rc == 0) rc = pack(&es, out);
    for (size_t i = 0; i < es.n; i++) mem_free(es.all[i]);
    mem_free(es.all);
    return rc;
}

const char *bsk_list_next(bsk_list *list, char *kind)
{
    if (list->at >= list->end) return NULL;
    const char *name = list->at + 1;
    if (kind) *kind = *list->at;
    list->at = name + strlen(name) + 1;
    return name;
}
