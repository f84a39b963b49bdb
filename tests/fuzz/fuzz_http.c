/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz_http.c: libFuzzer entry: httpd's request heads, ranges and dates.
 * What must hold besides memory: a path that is accepted stays below the root, and
 * a range lies inside its file.
 */
#include <servers/httpd/http.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const char *path)
{
    if (path[0] != '/' || memchr(path, 0, HTTP_PATH_MAX) == NULL)
        abort();
    for (const char *p = path; (p = strstr(p, "/..")) != NULL; p++)
        if (p[3] == 0 || p[3] == '/')
            abort();
    if (http_content_type(path) == NULL)
        abort();
}

static void check_range(const struct http_range *r)
{
    static const uint64_t sizes[] = {0, 1, 100, 1ull << 40, UINT64_MAX};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t from = 0, count = 0;
        int status = http_apply_range(r, sizes[i], &from, &count);
        if (status == 206 && (count == 0 || from >= sizes[i] || count > sizes[i] - from))
            abort();
        if (http_reason(status) == NULL)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request r;
    char *exact = malloc(size != 0 ? size : 1), date[30];
    int n;

    memcpy(exact, data, size);
    n = http_parse(exact, size, &r);
    if (n > (int)size)
        abort();
    if (n > 0) {
        check_path(r.path);
        check_range(&r.range);
        http_date(r.if_modified_since, date);
        if (r.if_modified_since != 0 && http_parse_date(date, 29) != r.if_modified_since)
            abort();
    }
    http_parse_date(exact, size);
    free(exact);
    return 0;
}
