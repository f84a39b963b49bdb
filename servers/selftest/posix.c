#include "selftest.h"
const struct test posix_tests[] = {{NULL, NULL}};
const struct role posix_roles[] = {{NULL, NULL}};
