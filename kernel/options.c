/* SPDX-License-Identifier: MIT
 *
 * kernel/options.c: the boot command line, split and checked.
 *
 * Owns: a copy of the command line with its words cut apart, and the table of
 * keys. Pure: builds on the host for tests and fuzzing. Context: any after
 * options_parse.
 */
#include <kernel/boot_info.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <stddef.h>

#define OPTIONS_MAX 64
#define PORT_USES "slip|slipmux|console|off"

struct option_entry {
    const char *key, *value;
};
static struct option_entry options[OPTIONS_MAX];
static unsigned noptions;
static char text[BOOT_CMDLINE_MAX];

static bool same(const char *a, const char *b)
{
    while (*a != 0 && *a == *b)
        a++, b++;
    return *a == *b;
}

static bool starts(const char *s, const char *prefix)
{
    while (*prefix != 0)
        if (*s++ != *prefix++)
            return false;
    return true;
}

/* Is the first part of s, up to `stop` or the end, one of the words in list? */
static bool part_in(const char *s, char stop, const char *list)
{
    while (*list != 0) {
        const char *p = s;
        while (*list != 0 && *list != '|' && *p == *list)
            p++, list++;
        if ((*list == 0 || *list == '|') && (*p == 0 || *p == stop))
            return true;
        while (*list != 0 && *list != '|')
            list++;
        if (*list == '|')
            list++;
    }
    return false;
}

static bool number(const char **s, uint32_t lo, uint32_t hi)
{
    uint32_t v;
    return parse_decimal(s, lo, hi, &v);
}

static bool address(const char **s)
{
    uint8_t ip[4];
    return parse_ipv4(s, ip);
}

static bool is_count(const char *v, const char *arg)
{
    (void)arg;
    return number(&v, 1, 64) && *v == 0;
}

static bool is_one_of(const char *v, const char *arg)
{
    return part_in(v, 0, arg);
}

/* slip, console or off, with an optional rate and flow control */
static bool is_port_use(const char *v, const char *arg)
{
    if (!part_in(v, ',', arg))
        return false;
    while (*v != 0 && *v != ',')
        v++;
    if (*v == 0)
        return true;
    v++;
    return number(&v, 300, 115200) && (*v == 0 || same(v, ",rtscts"));
}

static bool is_mtu(const char *v, const char *arg)
{
    (void)arg;
    return number(&v, 296, 1500) && *v == 0;
}

/* dhcp, off, or ADDR/LEN[,GATEWAY] */
static bool is_address_choice(const char *v, const char *arg)
{
    if (part_in(v, 0, arg))
        return true;
    if (!address(&v) || *v++ != '/' || !number(&v, 1, 32))
        return false;
    if (*v == 0)
        return true;
    v++;
    return v[-1] == ',' && address(&v) && *v == 0;
}

/* off, or LOCAL:PEER */
static bool is_pair(const char *v, const char *arg)
{
    return part_in(v, 0, arg) || (address(&v) && *v++ == ':' && address(&v) && *v == 0);
}

static bool is_panic_choice(const char *v, const char *arg)
{
    (void)arg;
    if (same(v, "halt") || same(v, "reboot"))
        return true;
    if (!starts(v, "reboot,"))
        return false;
    v += 7;
    return number(&v, 0, 3600) && *v == 0;
}

static bool is_watchdog(const char *v, const char *arg)
{
    return part_in(v, 0, arg) || (number(&v, 2, 1000) && *v == 0);
}

static bool has_char(const char *set, char c)
{
    while (*set != 0 && *set != c)
        set++;
    return c != 0 && *set == c;
}

/* Comma-separated names, none empty; arg: what else may be in one. */
static bool is_names(const char *v, const char *arg)
{
    for (bool empty = true;; v++) {
        bool letter = (*v >= 'a' && *v <= 'z') || (*v >= 'A' && *v <= 'Z') || (*v >= '0' && *v <= '9') ||
                      *v == '-' || *v == '_' || *v == '.' || has_char(arg, *v);
        if (letter) {
            empty = false;
            continue;
        }
        if (empty || (*v != 0 && *v != ','))
            return false;
        if (*v == 0)
            return true;
        empty = true;
    }
}

/* Section 3 of the design, "command line decides policy". A key that ends in
 * '.' stands for every key that starts so. */
static const struct rule {
    const char *key;
    bool (*check)(const char *value, const char *arg);
    const char *arg, *expect;
} rules[] = {
    {"clock", is_one_of, "auto|tsc|hpet|pmtmr|pit", "expected auto, tsc, hpet, pmtmr or pit"},
    {"event", is_one_of, "auto|deadline|lapic|hpet|pit", "expected auto, deadline, lapic, hpet or pit"},
    {"timer", is_one_of, "auto|pit", "expected auto or pit"},
    {"irq", is_one_of, "auto|msix|msi|ioapic|pic|poll", "expected auto, msix, msi, ioapic, pic or poll"},
    {"pci", is_one_of, "auto|ecam|ports", "expected auto, ecam or ports"},
    {"acpi", is_one_of, "on|off", "expected on or off"},
    {"smp", is_count, "", "expected a number from 1 to 64"},
    {"rtl8139", is_one_of, "classic|cplus", "expected classic or cplus"},
    {"console", is_one_of, "com2|com1|screen", "expected com2, com1 or screen"},
    {"com1", is_port_use, PORT_USES, "expected slip, slipmux, console or off, then ,BAUD[,rtscts]"},
    {"com2", is_port_use, PORT_USES, "expected slip, slipmux, console or off, then ,BAUD[,rtscts]"},
    {"net.dns", is_names, ":", "expected ADDR[,ADDR]"},
    {"net.search", is_names, "", "expected DOMAIN[,DOMAIN]"},
    {"net.hosts", is_names, ":/", "expected ADDR/NAME[,ADDR/NAME]"},
    {"net.ip6", is_names, ":/", "expected auto, off or ADDR/LEN[,GATEWAY]"},
    {"net.ip6-secret", is_names, "", "expected a word"},
    {"net.ntp", is_names, ":", "expected off, or ADDR or NAME, [,...]"},
    {"net.", is_address_choice, "dhcp|off", "expected a link's dhcp, off or ADDR/LEN[,GATEWAY]"},
    {"slip.mtu", is_mtu, "", "expected a number from 296 to 1500"},
    {"slip.vj", is_one_of, "on|auto|off", "expected on, auto or off"},
    {"slip", is_pair, "off", "expected off or LOCAL:PEER"},
    {"start", is_names, "", "expected NAME[,NAME]"},
    {"panic", is_panic_choice, "", "expected halt or reboot[,SECONDS]"},
    {"log", is_one_of, "error|warn|info|debug", "expected error, warn, info or debug"},
    {"watchdog", is_watchdog, "off", "expected a number of seconds from 2 to 1000, or off"},
    {"test", is_names, "", "expected NAME[,NAME] or all"},
};

static const struct rule *rule_for(const char *key)
{
    for (unsigned i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const char *k = rules[i].key;
        unsigned n = 0;
        while (k[n] != 0)
            n++;
        if (k[n - 1] == '.' ? starts(key, k) && key[n] != 0 : same(key, k))
            return &rules[i];
    }
    return NULL;
}

/* One word, cut out of `text`: "key=value". */
static void take_word(char *word, void (*report)(const char *, const char *))
{
    char *value = word;

    while (*value != 0 && *value != '=')
        value++;
    if (*value == 0) {
        report(word, "expected key=value");
        return;
    }
    *value = 0;
    const struct rule *rule = rule_for(word);
    bool good = rule != NULL && rule->check(value + 1, rule->arg);
    if (good && noptions < OPTIONS_MAX) {
        options[noptions++] = (struct option_entry){word, value + 1};
        return;
    }
    *value = '='; /* report the word as it was given */
    report(word, rule == NULL ? "no such option" : !good ? rule->expect : "more than 64 options");
}

void options_parse(const char *cmdline, void (*report)(const char *word, const char *why))
{
    size_t n = 0;

    noptions = 0;
    for (; cmdline[n] != 0 && n + 1 < sizeof text; n++)
        text[n] = cmdline[n];
    text[n] = 0;
    for (char *p = text; *p != 0;) {
        while (*p == ' ' || *p == '\t')
            p++;
        char *word = p;
        while (*p != 0 && *p != ' ' && *p != '\t')
            p++;
        bool last = *p == 0;
        *p = 0;
        if (*word != 0)
            take_word(word, report);
        if (last)
            break;
        p++;
    }
}

bool option_is_setting(const char *key)
{
    const struct rule *rule = rule_for(key);

    return rule != NULL && same(rule->key, key);
}

const char *option(const char *key)
{
    for (unsigned i = noptions; i-- > 0;)
        if (same(options[i].key, key))
            return options[i].value;
    return NULL;
}

const char *option_key(const char *prefix, unsigned n)
{
    for (unsigned i = 0; i < noptions; i++)
        if (starts(options[i].key, prefix) && n-- == 0)
            return options[i].key;
    return NULL;
}

bool option_is(const char *key, const char *value)
{
    const char *v = option(key);

    return v != NULL && same(v, value);
}

bool option_has(const char *key, const char *word)
{
    const char *v = option(key);

    while (v != NULL && *v != 0) {
        const char *w = word;
        while (*w != 0 && *v == *w)
            v++, w++;
        if (*w == 0 && (*v == 0 || *v == ','))
            return true;
        while (*v != 0 && *v != ',')
            v++;
        if (*v == ',')
            v++;
    }
    return false;
}
