#include "selftest.h"
const struct test signals_tests[] = {{NULL, NULL}};
