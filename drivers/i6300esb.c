/* SPDX-License-Identifier: MIT
 *
 * drivers/i6300esb.c: the watchdog timer of Intel's 6300ESB I/O hub, which QEMU
 * and other emulators offer. Registers as in the 6300ESB data sheet, section 16.
 *
 * Owns: the one watchdog. It runs from attach on: whoever hangs before init feeds
 * it is reset as well. Two stages count one after the other, each half of the
 * time; when the second ends, the machine is reset. Context: thread; stopping: any.
 */
#include <drivers/drivers.h>
#include <drivers/mmio.h>
#include <kernel/log.h>
#include <kernel/options.h>
#include <kernel/parse.h>
#include <kernel/pci.h>
#include <kernel/string.h>
#include <kernel/watchdog.h>
#include <slipway/errno.h>
#include <stddef.h>

/* Configuration space. */
#define CONFIG           0x60 /* 16 bits */
#define CONFIG_NO_IRQ    0x0003u /* the first stage's end raises no interrupt; 1 kHz; reset on */
#define LOCK             0x68
#define LOCK_ENABLE      0x02u

/* Memory space. */
#define TIMER1  0x00
#define TIMER2  0x04
#define RELOAD  0x0c
#define RELOAD_RESTART 0x0100u
#define RELOAD_EXPIRED 0x0200u /* the last reset was its work; written with 1 to clear */
#define UNLOCK_1 0x80u
#define UNLOCK_2 0x86u

#define TICKS_PER_SECOND 1024u
#define SECONDS_DEFAULT  30u

static struct pci_device *device;
static uint8_t *regs;
static uint32_t seconds;

/* The reload register has 16 bits, the timers have 32. */
static void reload_write(uint16_t v)
{
    mmio_write16(regs + RELOAD, v);
}

/* Every write but the unlocking ones themselves must follow these two. */
static void unlock(void)
{
    reload_write(UNLOCK_1);
    reload_write(UNLOCK_2);
}

static void timer_write(unsigned reg, uint32_t v)
{
    unlock();
    mmio_write32(regs + reg, v);
}

void watchdog_feed(void)
{
    if (device == NULL)
        return;
    unlock();
    reload_write(RELOAD_RESTART);
}

uint32_t watchdog_timeout_ms(void)
{
    return device != NULL ? seconds * 1000u : 0;
}

void watchdog_stop(void)
{
    if (device != NULL)
        pci_write8(device, LOCK, 0);
    device = NULL;
}

static uint32_t option_seconds(void)
{
    const char *v = option("watchdog");
    uint32_t n;

    return v != NULL && parse_decimal(&v, 2, 1000, &n) ? n : SECONDS_DEFAULT;
}

int i6300esb_attach(struct pci_device *d)
{
    uint32_t ticks;

    if (option_is("watchdog", "off") || device != NULL)
        return -ENODEV;
    pci_enable(d, true, false, false);
    regs = pci_map_bar(d, 0);
    if (regs == NULL)
        return -EIO;
    seconds = option_seconds();
    ticks = seconds * (TICKS_PER_SECOND / 2);
    if (mmio_read16(regs + RELOAD) & RELOAD_EXPIRED) {
        klog(LOG_WARN, "watchdog: it was the watchdog that reset the machine");
        unlock();
        reload_write(RELOAD_EXPIRED | RELOAD_RESTART);
    }
    pci_write8(d, LOCK, 0); /* set up while it stands still */
    pci_write16(d, CONFIG, CONFIG_NO_IRQ);
    timer_write(TIMER1, ticks);
    timer_write(TIMER2, ticks);
    device = d;
    watchdog_feed();
    pci_write8(d, LOCK, LOCK_ENABLE);
    if (!(pci_read8(d, LOCK) & LOCK_ENABLE)) {
        device = NULL;
        return -EIO;
    }
    strlcpy(d->node, "watchdog0", sizeof d->node);
    klog(LOG_INFO, "watchdog: i6300esb, %u s", seconds);
    return 0;
}
