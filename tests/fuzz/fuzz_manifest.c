/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_manifest.c: libFuzzer entry: init's servers.conf, whatever is in
 * it. What must hold besides memory: what was understood is within its bounds.
 */
#include <servers/init/manifest.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned complaints;

static void report(void *ctx, const char *text)
{
    (void)ctx;
    complaints += strlen(text) != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct manifest m;
    char *exact = malloc(size != 0 ? size : 1);

    complaints = 0;
    memcpy(exact, data, size);
    if (manifest_parse(&m, "servers.conf", exact, size, report, NULL) != complaints ||
        m.count > MANIFEST_SERVERS_MAX)
        abort();
    for (unsigned i = 0; i < m.count; i++) {
        const struct manifest_server *s = &m.server[i];
        if (memchr(s->name, 0, sizeof(s->name)) == NULL ||
            memchr(s->program, 0, sizeof(s->program)) == NULL || s->args_bytes > sizeof(s->args) ||
            s->rights.nallow > RIGHTS_ALLOW_MAX)
            abort();
    }
    free(exact);
    return 0;
}
