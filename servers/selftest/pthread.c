#include "selftest.h"
const struct test pthread_tests[] = {{NULL, NULL}};
