/* SPDX-License-Identifier: MIT */
/* live.c - the shop as it runs. The main thread is no actor: it looks, draws and takes keys,
 * whatever becomes of the shop. */
#define _DEFAULT_SOURCE 1
#include "live.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "book.h"
#include "customers.h"
#include "screen.h"
#include "terminal.h"

enum { FRAME_MS = 100, TABLE_MS = 2000, CLOSING_MS = 1500, PAUSE_MS = 18 };
enum { INPUT_MAX = 64 };

struct live {
    struct shop *shop;
    bsk_rt *rt;
    struct script script;
    struct view view;
    struct frame frame;
    enum role chosen;
    int64_t quit_at; /* when it was told to quit, or -1 */
    int64_t printed; /* when the tree was last printed */
    uint64_t told;   /* events printed */
    bool plain;
};

static volatile sig_atomic_t told_to_quit;

static void on_signal(int signal)
{
    told_to_quit = signal;
}

static void heed_signals(void)
{
    static const int heeded[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_signal;
    for (size_t i = 0; i < sizeof heeded / sizeof *heeded; i++) sigaction(heeded[i], &sa, NULL);
}

static void keep_line(void *shop, enum bsk_level level, const char *line)
{
    struct shop *s = shop;
    if (level <= BSK_LOG_WARN) events_log(&s->events, line);
}

static bsk_rt *start(struct shop *s, unsigned workers, bool contain)
{
    return bsk_start(.workers = workers, .contain_faults = contain, .quiet = true,
                     .no_signals = true, .log = keep_line, .arg = s);
}

/* Where faults cannot be contained all else is still worth to be seen. */
static bool begin(struct live *l, const struct options *o)
{
    l->rt = start(l->shop, o->workers, true);
    if (!l->rt && (l->rt = start(l->shop, o->workers, false)))
        events_explain(&l->shop->events, "faults are not contained here: n, o and a end all");
    if (!l->rt) {
        fprintf(stderr, "buskin-restart: %s\n", bsk_strerror(bsk_error(NULL)));
        return false;
    }
    events_say(&l->shop->events, "the shop opens; %d customers place orders", CUSTOMERS);
    if (!bsk_is_nobody(shop_open(l->shop, l->rt)) && customers_let_in(l->shop, l->rt, 0, PAUSE_MS))
        return true;
    fprintf(stderr, "buskin-restart: shop: %s\n", bsk_strerror(bsk_error(NULL)));
    bsk_shutdown(l->rt);
    return false;
}

static void quit(struct live *l)
{
    if (l->quit_at >= 0) return;
    l->quit_at = events_now(&l->shop->events);
    events_do(&l->shop->events, "the doors close; the orders that are open are settled");
    customers_close_doors(l->shop);
}

static void press(struct live *l, int key)
{
    if (key >= '0' && key <= '9')
        l->chosen = key == '0' ? INTAKE : (enum role)(key - '1');
    else if (key == 'q' || key == 3)
        quit(l);
    else
        deed_do(l->shop, l->rt, key, l->chosen);
}

/* Up and down, as terminals send them. */
static size_t press_arrow(struct live *l, const char *keys, size_t n)
{
    if (n < 3 || (keys[1] != '[' && keys[1] != 'O')) return 1;
    if (keys[2] == 'A') l->chosen = (enum role)((l->chosen + ROLES - 1) % ROLES);
    if (keys[2] == 'B') l->chosen = (enum role)((l->chosen + 1) % ROLES);
    return 3;
}

static void press_all(struct live *l, const char *keys, size_t n)
{
    for (size_t i = 0; i < n;)
        if (keys[i] == '\033')
            i += press_arrow(l, keys + i, n - i);
        else
            press(l, (unsigned char)keys[i++]);
}

/* Waits for keys until the next frame is due. */
static void take_keys(struct live *l)
{
    char keys[INPUT_MAX];
    struct pollfd in = {.fd = l->plain ? -1 : STDIN_FILENO, .events = POLLIN};
    int ready = poll(&in, 1, FRAME_MS);
    if (ready <= 0) return;
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
    if (n > 0)
        press_all(l, keys, (size_t)n);
    else if (in.revents & (POLLHUP | POLLERR))
        quit(l);
}

static void draw(struct live *l)
{
    int width, height;
    terminal_size(&width, &height);
    frame_begin(&l->frame, width, height);
    screen_draw(&l->frame, &l->view, l->shop, l->chosen, l->quit_at >= 0 ? "closing" : "open");
    if (!frame_write(&l->frame, STDOUT_FILENO)) quit(l);
}

static void print(struct live *l)
{
    screen_print_events(&l->shop->events, &l->told);
    if (l->view.ms - l->printed >= TABLE_MS) {
        screen_print(&l->view, l->shop);
        l->printed = l->view.ms;
    }
    if (fflush(stdout)) quit(l);
}

static void show(struct live *l)
{
    terminal_collect(&l->shop->events);
    view_take(&l->view, l->shop, l->rt);
    if (l->plain)
        print(l);
    else
        draw(l);
}

/* After the doors have closed, what is open gets a while to be settled. */
static bool is_over(struct live *l)
{
    if (l->quit_at < 0) return false;
    if (l->view.ms - l->quit_at >= CLOSING_MS) return true;
    return !atomic_load(&l->shop->tally.inside) && l->view.answered && l->view.open == 0;
}

static void run(struct live *l, int64_t seconds)
{
    while (!is_over(l)) {
        int64_t now = events_now(&l->shop->events);
        for (int key; (key = script_due(&l->script, now));) press(l, key);
        if (told_to_quit || (seconds && now >= seconds * 1000)) quit(l);
        show(l);
        take_keys(l);
    }
}

/* The journal against what the customers know. One who was sent away may have had an order kept
 * and not heard of it. */
static bool settle_up(struct shop *s)
{
    struct book b = {.pages = NULL};
    struct tally *t = &s->tally;
    int64_t accepted = atomic_load(&t->accepted);
    bool read = book_replay(&b, s->journal) == 0;
    int64_t kept_orders = b.booked + b.refused + b.open, unheard = kept_orders - accepted;
    bool ok = read && b.astray == 0 && unheard >= 0 && unheard <= CUSTOMERS;
    printf("orders: %" PRId64 " accepted, %" PRId64 " booked, %" PRId64 " refused, %" PRId64
           " open in the journal: %s\n",
           accepted, b.booked, b.refused, b.open, ok ? "none lost, none twice" : "THAT IS WRONG");
    book_fini(&b);
    return ok;
}

/* Stops whoever still runs, and gives the terminal back. */
static int end(struct live *l)
{
    int64_t from = events_now(&l->shop->events);
    bsk_shutdown(l->rt);
    int status = bsk_wait(l->rt);
    int64_t took = events_now(&l->shop->events) - from;
    terminal_close();
    if (l->plain) screen_print_events(&l->shop->events, &l->told);
    printf("all actors have stopped, in order, in %" PRId64 " ms%s\n", took,
           status == 2 ? ", but one" : "");
    return settle_up(l->shop) && status != 2 ? 0 : 1;
}

int live_run(const struct options *o)
{
    static struct shop shop;
    static struct live l;
    l = (struct live){.shop = &shop,
                      .script = o->script,
                      .chosen = WORKER_1,
                      .quit_at = -1,
                      .printed = -TABLE_MS,
                      .plain = o->plain};
    l.frame.utf8 = terminal_is_utf8();
    l.frame.color = terminal_has_color();
    if (!shop_init(&shop)) return 1;
    heed_signals();
    if (!begin(&l, o)) {
        if (l.rt && bsk_wait(l.rt) == 2) fputs("buskin-restart: somebody did not stop\n", stderr);
        return 1;
    }
    if (!l.plain && !terminal_open(&shop.events)) l.plain = true;
    run(&l, o->seconds);
    int status = end(&l);
    shop_fini(&shop);
    return status;
}
