/* SPDX-License-Identifier: MIT
 *
 * servers/shell/hw_cmds.c: commands about what the machine is made of.
 */
#include "shell.h"
#include <stdio.h>
#include <string.h>

/* Names of what virtual machines and the drivers' own cards have; everything else
 * goes by its class. */
static const struct {
    uint16_t vendor, product;
    const char *name;
} products[] = {
    {0x1013, 0x00b8, "Cirrus GD 5446"},      {0x10ec, 0x8139, "Realtek RTL8139"},
    {0x1234, 0x1111, "QEMU standard VGA"},   {0x1af4, 0x1000, "virtio network"},
    {0x1af4, 0x1001, "virtio block"},        {0x1af4, 0x1005, "virtio entropy"},
    {0x1af4, 0x1041, "virtio network"},      {0x1af4, 0x1042, "virtio block"},
    {0x1af4, 0x1044, "virtio entropy"},      {0x1af4, 0x1050, "virtio GPU"},
    {0x1b36, 0x000d, "QEMU xHCI"},           {0x1b36, 0x0010, "QEMU NVMe"},
    {0x8086, 0x100e, "Intel 82540EM"},       {0x8086, 0x10d3, "Intel 82574L"},
    {0x8086, 0x1237, "Intel 440FX"},         {0x8086, 0x25ab, "Intel 6300ESB watchdog"},
    {0x8086, 0x2918, "Intel ICH9 LPC"},      {0x8086, 0x2922, "Intel ICH9 AHCI"},
    {0x8086, 0x2930, "Intel ICH9 SMBus"},    {0x8086, 0x29c0, "Intel Q35"},
    {0x8086, 0x7000, "Intel PIIX3 ISA"},     {0x8086, 0x7010, "Intel PIIX3 IDE"},
    {0x8086, 0x7113, "Intel PIIX4 ACPI"},
};

static const char *product_name(const struct info_device *d)
{
    for (unsigned i = 0; i < sizeof products / sizeof products[0]; i++)
        if (products[i].vendor == d->vendor && products[i].product == d->product)
            return products[i].name;
    return "";
}

static bool next_device(uint64_t i, struct info_device *d)
{
    return sys_info(INFO_DEVICE, i, d, sizeof *d) > 0 && !shell_interrupted();
}

static void show_bars(const struct info_device *d)
{
    char size[16];

    for (unsigned b = 0; b < 6; b++)
        if (d->bar_size[b] != 0)
            printf("        bar%u %s %llx, %s\n", b, (d->bar_is_io >> b & 1) ? "ports" : "memory",
                   (unsigned long long)d->bar_base[b], shell_size(d->bar_size[b], size));
}

static void show_interrupt(const struct info_device *d)
{
    if (d->irq_mode[0] != 0)
        printf("        interrupt by %.12s", d->irq_mode);
    else if (d->irq_pin != 0)
        printf("        no interrupt in use");
    if (d->irq_pin != 0)
        printf("%s pin %c, line %u", d->irq_mode[0] != 0 ? ";" : ",", 'A' + (d->irq_pin - 1) % 4,
               (unsigned)d->irq);
    if (d->irq_mode[0] != 0 || d->irq_pin != 0)
        putchar('\n');
}

int cmd_lspci(int argc, char **argv)
{
    bool brief = argc == 2 && strcmp(argv[1], "-b") == 0;
    struct info_device d;

    if (argc > 1 && !brief)
        return SHELL_USAGE;
    for (uint64_t i = 0; next_device(i, &d); i++) {
        if (d.vendor == 0xffff) /* a framebuffer on no bus */
            continue;
        printf("%02x:%02x.%x %04x:%04x class %04x %.28s", d.bus, d.device, d.function, d.vendor, d.product,
               d.class_code, d.class_name);
        if (product_name(&d)[0] != 0)
            printf(", %s", product_name(&d));
        if (d.driver[0] != 0 || d.node[0] != 0)
            printf(" [%.16s%s%.16s]", d.driver[0] != 0 ? d.driver : "no driver", d.node[0] ? " " : "", d.node);
        putchar('\n');
        if (brief)
            continue;
        show_bars(&d);
        show_interrupt(&d);
    }
    return 0;
}

static void show_screen(void)
{
    struct info_screen s;

    if (sys_info(INFO_SCREEN, 0, &s, sizeof s) <= 0)
        return;
    if (s.width == 0)
        printf("%-10s %-12s %-8s text mode, %ux%u characters\n", "-", "vga", "-", (unsigned)s.columns,
               (unsigned)s.rows);
    else
        printf("%-32s %ux%u pixels of %u bits, %u bytes a row, console of %ux%u\n", "", (unsigned)s.width,
               (unsigned)s.height, (unsigned)s.pixel_bits, (unsigned)s.pitch_bytes, (unsigned)s.columns,
               (unsigned)s.rows);
}

/* What has a node in /dev, and the screen. */
int cmd_devices(int argc, char **argv)
{
    struct info_device d;
    bool screen = false;

    (void)argc, (void)argv;
    printf("NODE       DRIVER       AT       WHAT\n");
    for (uint64_t i = 0; next_device(i, &d); i++) {
        if (d.node[0] == 0)
            continue;
        printf("%-10.16s %-12.16s ", d.node, d.driver[0] != 0 ? d.driver : "-");
        if (d.vendor == 0xffff)
            printf("%-8s ", "-");
        else
            printf("%02x:%02x.%x  ", d.bus, d.device, d.function);
        printf("%.28s", product_name(&d)[0] != 0 ? product_name(&d) : d.class_name);
        if (strncmp(d.node, "net", 3) == 0)
            printf(", %02x:%02x:%02x:%02x:%02x:%02x, link %s", d.mac[0], d.mac[1], d.mac[2], d.mac[3], d.mac[4],
                   d.mac[5], d.link_up ? "up" : "down");
        putchar('\n');
        if (strcmp(d.node, "fb0") == 0)
            show_screen();
        screen = screen || strcmp(d.node, "fb0") == 0;
    }
    if (!screen)
        show_screen();
    return 0;
}

int cmd_irq(int argc, char **argv)
{
    struct info_irq q;

    (void)argc, (void)argv;
    printf("VECTOR LINE MODE         COUNT NAME\n");
    for (uint64_t i = 0; sys_info(INFO_IRQ, i, &q, sizeof q) > 0 && !shell_interrupted(); i++)
        printf("%6u %4u %-8.12s %9llu %.20s\n", (unsigned)q.vector, (unsigned)q.line, q.mode,
               (unsigned long long)q.count, q.name);
    return 0;
}
