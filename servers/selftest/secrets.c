/* SPDX-License-Identifier: MIT
 *
 * servers/selftest/secrets.c: one secret on the console, for a test outside to
 * compare with another boot's (tests/system/test_random.py).
 */
#include "selftest.h"
#include <stdio.h>
#include <string.h>

static const char *secret(void)
{
    static const uint8_t zeros[32];
    uint8_t bytes[32] = {0};

    CHECK(sys_random(bytes, sizeof(bytes), 0) == sizeof(bytes));
    CHECK(memcmp(bytes, zeros, sizeof(bytes)) != 0);
    printf("# secret ");
    for (unsigned i = 0; i < sizeof(bytes); i++)
        printf("%02x", bytes[i]);
    printf("\n");
    return NULL;
}

const struct test secrets_tests[] = {
    {"secret", secret},
    {NULL, NULL},
};
