/* SPDX-License-Identifier: MIT
 *
 * kernel/netglue.c: what the net core asks of the kernel (net/core/services.h).
 *
 * Owns: the poll work of every link, the net core's timer, the addresses that
 * the boot options give (net.eth0=ADDR/LEN[,GW], slip=LOCAL:PEER).
 * Context: thread or poll; link_schedule_poll any.
 */
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/mem.h>
#include <kernel/netglue.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/random.h>
#include <kernel/string.h>
#include <kernel/time.h>

static struct poll_work work[NET_LINKS_MAX];
static struct timer core_timer;
static void (*core_timer_fn)(void);

/* --- clock, chance, memory, words ---------------------------------------------------- */

uint64_t nc_now_ns(void)
{
    return now_ns();
}
void nc_random(void *buf, size_t bytes)
{
    random_bytes(buf, bytes);
}
void *nc_alloc(size_t bytes)
{
    return kzalloc(bytes);
}
void nc_free(void *p)
{
    kfree(p);
}

void nc_log(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    kvlog(LOG_INFO, fmt, ap);
    va_end(ap);
}

void nc_panic(const char *fmt, ...)
{
    char line[160];
    va_list ap;

    va_start(ap, fmt);
    kvsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    panic("%s", line);
}

/* --- shared memory ------------------------------------------------------------------------ */

int nc_shared_alloc(struct nc_shared *s, size_t bytes)
{
    struct memobj *m = memobj_create_ring(bytes);

    if (m == NULL)
        return -ENOMEM;
    s->base = memobj_kernel_map(m);
    if (s->base == NULL) {
        memobj_unref(m);
        return -ENOMEM;
    }
    s->bytes = bytes;
    s->cookie = m;
    return 0;
}

void nc_shared_free(struct nc_shared *s)
{
    if (s->cookie != NULL)
        memobj_unref(s->cookie);
    s->base = s->cookie = NULL;
    s->bytes = 0;
}

uint64_t nc_shared_phys(const struct nc_shared *s, size_t offset)
{
    return memobj_page(s->cookie, offset >> PAGE_SHIFT) + (offset & (PAGE_SIZE - 1));
}

/* --- waking, polling, time ------------------------------------------------------------------ */

void nc_wake(void *waiter)
{
    struct net_object *n = waiter;

    if (n->standby.head != NULL && n->wq.head == NULL && n->endpoint != NULL && endpoint_half_full(n->endpoint))
        net_call_standby(n);
    waitq_wake(&n->wq);
}

static bool poll_link(void *arg)
{
    struct link *l = link_by_index((unsigned)(uintptr_t)arg);

    return l != NULL && net_link_poll(l, POLL_BUDGET);
}

void link_schedule_poll(struct link *l)
{
    if (work[l->index].run != NULL)
        poll_schedule(&work[l->index]);
}

static void core_timer_due(void *arg)
{
    (void)arg;
    core_timer_fn();
}

void nc_timer(uint64_t when_ns, void (*fn)(void))
{
    core_timer_fn = fn;
    if (core_timer.fn == NULL)
        timer_init(&core_timer, core_timer_due, NULL);
    if (timer_arm(&core_timer, when_ns) != 0)
        klog(LOG_WARN, "net: no memory for a timer: reserved ports stay reserved");
}

/* --- addresses from the boot options --------------------------------------------------------- */

static void apply(const struct net_config *c, const char *what)
{
    int r = net_config_apply(NULL, c);

    if (r != 0)
        klog(LOG_WARN, "net: %s: %s of the boot options refused (error %d)", link_name(c->link), what, -r);
}

static void add_default_route(const struct link *l, const struct net_addr *gateway, uint32_t metric)
{
    struct net_config c = {.kind = NETCFG_ROUTE_ADD, .link = l->index, .family = NET_INET, .metric = metric};

    c.gateway = *gateway;
    apply(&c, "default route");
}

/* ADDR/LEN[,GW]; "dhcp" and "off" are netd's. options.c has let nothing else pass. */
static void add_ethernet_address(const struct link *l, const char *value)
{
    struct net_config c = {
        .kind = NETCFG_ADDR_ADD, .link = l->index, .family = NET_INET, .flags = ADDR_STATIC};
    struct net_addr gateway = {{0}};
    uint32_t prefix;

    if (!parse_ipv4(&value, c.addr.b) || *value++ != '/' || !parse_decimal(&value, 1, 32, &prefix))
        return;
    c.prefix = (uint8_t)prefix;
    apply(&c, "address");
    if (*value++ == ',' && parse_ipv4(&value, gateway.b))
        add_default_route(l, &gateway, 0);
}

/* LOCAL:PEER for the first serial link; others number up from there by netd. */
static void add_serial_address(const struct link *l)
{
    struct net_config c = {.kind = NETCFG_ADDR_ADD,
                           .link = l->index,
                           .family = NET_INET,
                           .prefix = 32,
                           .flags = ADDR_STATIC,
                           .addr = {{192, 168, 7, 2}},
                           .gateway = {{192, 168, 7, 1}}};
    const char *value = option("slip");

    if (option_is("slip", "off"))
        return;
    if (value != NULL && parse_ipv4(&value, c.addr.b) && *value++ == ':')
        parse_ipv4(&value, c.gateway.b);
    apply(&c, "address");
}

void nc_link_added(struct link *l)
{
    char key[8 + LINK_NAME_MAX];
    const char *value;

    work[l->index].run = poll_link;
    work[l->index].arg = (void *)(uintptr_t)l->index;
    if ((l->flags & LINKF_LOOPBACK) != 0)
        return;
    ksnprintf(key, sizeof(key), "net.%s", l->name);
    value = option(key);
    if (value != NULL)
        add_ethernet_address(l, value);
    else if ((l->flags & LINKF_POINTOPOINT) != 0 && l->name[2] == '0')
        add_serial_address(l);
}

/* net.NAME= for a link that is not there. */
static void name_absent_links(void)
{
    const char *key;

    for (unsigned n = 0; (key = option_key("net.", n)) != NULL; n++) {
        bool found = option_is_setting(key); /* net.dns and the like */
        const struct link *l;

        for (unsigned i = 0; (l = link_by_index(i)) != NULL; i++)
            found = found || strcmp(l->name, key + 4) == 0;
        if (!found)
            klog(LOG_WARN, "boot option \"%s=%s\" ignored: no such link", key, option(key));
    }
}

/* Called once, before the first endpoint is opened: all drivers have attached.
 * A machine that has nothing but a serial line sends everything there. */
void net_boot_routes(void)
{
    static bool done;
    const struct link *serial = NULL, *l;

    if (done)
        return;
    done = true;
    name_absent_links();
    for (unsigned i = 0; (l = link_by_index(i)) != NULL; i++) {
        if ((l->flags & LINKF_ETHERNET) != 0)
            return;
        if ((l->flags & LINKF_POINTOPOINT) != 0 && serial == NULL)
            serial = l;
    }
    if (serial != NULL)
        add_default_route(serial, &serial->peer, 1000);
}
