/* SPDX-License-Identifier: MIT */
/* disk.h - what the blocking pool does with files. All return codes of the library's, take all
 * there is to do in as many calls as the system makes of it, and begin again when interrupted. */
#ifndef BSK_DISK_H
#define BSK_DISK_H

#include "net.h"

/* Asked between the steps of something long: tells whether nobody waits for it any more. */
struct disk_job {
    bool (*given_up)(const void *request);
    const void *request;
};

/* The code of a negative errno. */
int disk_code(int uv);
/* A descriptor in a blob, closed with the last count of it; NULL: it is closed now. */
bsk_blob *disk_box(int fd);
int disk_fd(const bsk_blob *box);
/* 0, or BSK_ENOTSUP for what is a stream. */
int disk_is_file(int fd);
/* Returns the descriptor, or a code. */
int disk_open(const char *path, const bsk_file_opts *o);
/* Reads until there are `most` bytes, or no more; returns how many, in a new blob. */
int64_t disk_read(int fd, int64_t at, size_t most, const struct disk_job *job, bsk_blob **out);
int disk_write(int fd, int64_t at, bsk_bytes b, const struct disk_job *job);
int disk_sync(int fd, bool data_only);
/* Of the descriptor, or, with path, of what lies there. */
int disk_info(int fd, const char *path, bsk_file_info_out *out);
/* For each entry a byte, what it is, and its name with a zero; sorted. */
int disk_list(const char *path, bsk_blob **out);
int64_t disk_load(const char *path, size_t most, const struct disk_job *job, bsk_blob **out);
int disk_save(const char *path, bsk_bytes b, unsigned mode, const struct disk_job *job);

#endif
