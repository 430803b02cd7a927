/* SPDX-License-Identifier: MIT */
/* frame.c - one picture of the screen. */
#define _DEFAULT_SOURCE 1
#include "frame.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const colored[] = {
    [PLAIN] = "",  [DIM] = "2",      [BOLD] = "1",  [TITLE] = "1;37;44", [CHOSEN] = "7",
    [GOOD] = "32", [FRESH] = "1;32", [WARN] = "33", [BAD] = "1;31"};
static const char *const colorless[] = {
    [PLAIN] = "", [DIM] = "2",   [BOLD] = "1", [TITLE] = "7", [CHOSEN] = "7",
    [GOOD] = "",  [FRESH] = "1", [WARN] = "",  [BAD] = "1"};

static void add(struct frame *f, const char *text, size_t n)
{
    if (n > sizeof f->text - f->n) n = sizeof f->text - f->n;
    memcpy(f->text + f->n, text, n);
    f->n += n;
}

static void add_string(struct frame *f, const char *text)
{
    add(f, text, strlen(text));
}

void frame_begin(struct frame *f, int width, int height)
{
    f->n = 0;
    f->width = width;
    f->height = height;
    f->column = 0;
    f->line = 1;
    add_string(f, "\033[H");
}

static void begin_style(struct frame *f, enum style style)
{
    const char *code = f->color ? colored[style] : colorless[style];
    if (!*code) return;
    add_string(f, "\033[");
    add_string(f, code);
    add_string(f, "m");
}

/* How many bytes fit into the rest of the line; counts their columns. */
static size_t fitting(struct frame *f, const char *text)
{
    size_t n = 0;
    while (text[n]) {
        bool begins = ((unsigned char)text[n] & 0xC0) != 0x80;
        if (begins && f->column >= f->width) break;
        f->column += begins;
        n++;
    }
    return n;
}

static void put(struct frame *f, enum style style, const char *text)
{
    size_t n = fitting(f, text);
    if (n == 0) return;
    begin_style(f, style);
    add(f, text, n);
    if (style != PLAIN) add_string(f, "\033[0m");
}

/* A control character in a message would be a command to the terminal. */
static void clean(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) *c = ' ';
}

void frame_put(struct frame *f, enum style style, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    clean(text);
    put(f, style, text);
}

void frame_pad(struct frame *f, enum style style, int column)
{
    char blanks[257];
    int n = (column < f->width ? column : f->width) - f->column;
    if (n <= 0) return;
    if (n > (int)sizeof blanks - 1) n = (int)sizeof blanks - 1;
    memset(blanks, ' ', (size_t)n);
    blanks[n] = '\0';
    put(f, style, blanks);
}

bool frame_newline(struct frame *f)
{
    add_string(f, "\033[K");
    if (f->line == f->height) {
        f->column = f->width;
        return false;
    }
    add_string(f, "\r\n");
    f->line++;
    f->column = 0;
    return true;
}

bool frame_write(struct frame *f, int fd)
{
    add_string(f, "\033[K\033[J");
    for (size_t done = 0; done < f->n;) {
        ssize_t n = write(fd, f->text + done, f->n - done);
        if (n < 0 && errno != EINTR && errno != EAGAIN) return false;
        if (n > 0) done += (size_t)n;
    }
    return true;
}
