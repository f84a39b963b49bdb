/* SPDX-License-Identifier: MIT
 *
 * libc/bootopt.c: the boot options as a program sees them. Context: any thread.
 */
#include <slipway/sys.h>
#include <string.h>

#define CMDLINE_MAX 1024

bool sys_boot_option(const char *key, char *value, size_t room)
{
    char line[CMDLINE_MAX];
    size_t len = strlen(key);
    bool found = false;

    if (sys_info(INFO_CMDLINE, 0, line, sizeof line) <= 0)
        return false;
    for (const char *word = line; *word != 0;) {
        size_t n = strcspn(word, " \t");
        if (n > len && strncmp(word, key, len) == 0 && word[len] == '=' && n - len - 1 < room) {
            memcpy(value, word + len + 1, n - len - 1); /* the last one counts */
            value[n - len - 1] = 0;
            found = true;
        }
        word += n + strspn(word + n, " \t");
    }
    return found;
}
