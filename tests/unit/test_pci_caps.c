/* SPDX-License-Identifier: MIT
 *
 * tests/unit/test_pci_caps.c: capability lists, honest and hostile.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <kernel/pci_caps.h>
#include <string.h>

static uint8_t space[4096];
static unsigned reads;

static uint32_t read32(void *arg, unsigned reg)
{
    uint32_t v;

    (void)arg;
    assert_true(reg % 4 == 0 && reg <= sizeof(space) - 4);
    reads++;
    memcpy(&v, space + reg, 4);
    return v;
}

static const struct pci_space small = {read32, NULL, 256}, large = {read32, NULL, 4096};

static void put32(unsigned at, uint32_t v)
{
    memcpy(space + at, &v, 4);
}

static void with_list(void)
{
    memset(space, 0, sizeof(space));
    put32(0x04, 0x00100000); /* status: capabilities */
    space[0x34] = 0x98;
    put32(0x98, 0x00008411); /* MSI-X, next 0x84 */
    put32(0x84, 0x00007009); /* vendor, next 0x70 */
    put32(0x70, 0x00004009); /* vendor, next 0x40 */
    put32(0x40, 0x00000005); /* MSI, the last */
}

static void test_find(void **state)
{
    (void)state;
    with_list();
    assert_int_equal(pci_cap_find(&small, 0x11, 0), 0x98);
    assert_int_equal(pci_cap_find(&small, 0x05, 0), 0x40);
    assert_int_equal(pci_cap_find(&small, 0x09, 0), 0x84);
    assert_int_equal(pci_cap_find(&small, 0x09, 0x84), 0x70);
    assert_int_equal(pci_cap_find(&small, 0x09, 0x70), 0);
    assert_int_equal(pci_cap_find(&small, 0x10, 0), 0);
    put32(0x04, 0); /* the status bit says that there is no list */
    assert_int_equal(pci_cap_find(&small, 0x11, 0), 0);
}

static void test_loops(void **state) /* C-BOUND-3 */
{
    (void)state;
    with_list();
    put32(0x40, 0x00009805); /* the last points to the first */
    reads = 0;
    assert_int_equal(pci_cap_find(&small, 0x10, 0), 0);
    assert_true(reads < 64);
    put32(0x98, 0x00009811); /* itself */
    assert_int_equal(pci_cap_find(&small, 0x10, 0), 0);
    put32(0x98, 0x00000411); /* into the header */
    assert_int_equal(pci_cap_find(&small, 0x10, 0), 0);
    memset(space + 0x98, 0xff, 4); /* the device has gone */
    assert_int_equal(pci_cap_find(&small, 0xff, 0), 0);
}

static void test_extended(void **state)
{
    (void)state;
    with_list();
    put32(0x100, 0x14010001); /* AER, next 0x140 */
    put32(0x140, 0x10010003); /* serial number, next 0x100: a loop */
    assert_int_equal(pci_ext_cap_find(&large, 1, 0), 0x100);
    assert_int_equal(pci_ext_cap_find(&large, 3, 0), 0x140);
    assert_int_equal(pci_ext_cap_find(&small, 3, 0), 0);
    reads = 0;
    assert_int_equal(pci_ext_cap_find(&large, 7, 0), 0);
    assert_true(reads < 1024);
    put32(0x100, 0xffc10001); /* next at the very end */
    assert_int_equal(pci_ext_cap_find(&large, 7, 0), 0);
}

/* Any bytes: within bounds (read32 asserts them) and in bounded time. */
static void test_noise(void **state) /* C-BOUND-3 */
{
    uint32_t x = 1;

    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        for (unsigned i = 0; i < sizeof(space); i++) {
            x = x * 1664525u + 1013904223u;
            space[i] = (uint8_t)(x >> 24);
        }
        space[6] |= 0x10;
        reads = 0;
        for (unsigned id = 0; id < 256; id += 17) {
            unsigned at = pci_cap_find(&small, (uint8_t)id, 0);

            assert_true(at == 0 || (at >= 0x40 && at < 0x100 && space[at] == id));
            at = pci_ext_cap_find(&large, (uint16_t)id, 0);
            assert_true(at == 0 || (at >= 0x100 && at < 0x1000));
        }
        assert_true(reads < 16 * 1100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_extended),
        cmocka_unit_test(test_noise),
    };

    return cmocka_run_group_tests_name("pci_caps", tests, NULL, NULL);
}
