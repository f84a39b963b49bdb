# SPDX-License-Identifier: MIT
#
# m4/slipway.m4: checks that remember what is missing and which Debian package
# has it, so that one run of configure names everything.
#
# slipway_missing   needed to build: configure fails at the end
# slipway_absent    needed to run or to test only: configure warns

# SLIPWAY_NEED_PROG(VARIABLE, PROGRAM, PACKAGE)
AC_DEFUN([SLIPWAY_NEED_PROG], [
  AC_ARG_VAR([$1], [path of $2])
  AC_PATH_PROG([$1], [$2], [], [$PATH:/usr/sbin:/sbin])
  AS_IF([test -z "$$1"], [slipway_missing="$slipway_missing
  $2 (package $3)"])
])

# SLIPWAY_WANT_PROG(VARIABLE, PROGRAM, PACKAGE, USES)
AC_DEFUN([SLIPWAY_WANT_PROG], [
  AC_ARG_VAR([$1], [path of $2])
  AC_PATH_PROG([$1], [$2], [], [$PATH:/usr/sbin:/sbin])
  AS_IF([test -z "$$1"], [slipway_absent="$slipway_absent
  $2 (package $3), for $4"])
])

# SLIPWAY_WANT_FILE(VARIABLE, FILE, PACKAGE, USES)
AC_DEFUN([SLIPWAY_WANT_FILE], [
  AC_ARG_VAR([$1], [path of $2])
  AC_MSG_CHECKING([for $2])
  : "${$1:=$2}"
  AS_IF([test -r "$$1"], [AC_MSG_RESULT([$$1])], [
    AC_MSG_RESULT([no])
    slipway_absent="$slipway_absent
  $2 (package $3), for $4"])
])

# The Python of the system tests: the system's own, which has Debian's modules.
AC_DEFUN([SLIPWAY_WANT_PYTHON], [
  AC_ARG_VAR([PYTHON], [path of a python3 that has pytest])
  AC_PATH_PROG([PYTHON], [python3], [], [/usr/bin:$PATH])
  AS_IF([test -z "$PYTHON"], [slipway_absent="$slipway_absent
  python3 (package python3), for make check"])
  m4_foreach([module], [[pytest]], [
    AC_MSG_CHECKING([for Python's module])
    AS_IF([test -n "$PYTHON" && $PYTHON -c 'import module' 2>/dev/null </dev/null],
      [AC_MSG_RESULT([yes])], [
      AC_MSG_RESULT([no])
      slipway_absent="$slipway_absent
  Python's module (package python3-module), for make check"])])
])

# cmocka without pkg-config: one header, one library.
AC_DEFUN([SLIPWAY_WANT_CMOCKA], [
  slipway_libs=$LIBS
  LIBS="-lcmocka $LIBS"
  AC_MSG_CHECKING([for cmocka])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>]], [[return cmocka_run_group_tests_name("", (const struct CMUnitTest *)0, 0, 0);]])],
    [AC_MSG_RESULT([yes])], [
    AC_MSG_RESULT([no])
    slipway_absent="$slipway_absent
  cmocka (package libcmocka-dev), for make check"])
  LIBS=$slipway_libs
])

# The compiler for the target: a gcc that makes x86-64 ELF. Its own header
# folder is the only one of the host's that target code may see.
AC_DEFUN([SLIPWAY_TARGET_CC], [
  AC_MSG_CHECKING([whether $TARGET_CC makes x86-64 code])
  slipway_machine=`$TARGET_CC -dumpmachine 2>/dev/null </dev/null`
  AS_CASE([$slipway_machine],
    [x86_64-*], [AC_MSG_RESULT([$slipway_machine])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([the target needs a gcc for x86_64 (package gcc), not "$slipway_machine"; set TARGET_CC])])
  AC_MSG_CHECKING([for the compiler's own headers])
  TARGET_CC_INCLUDE=`$TARGET_CC -print-file-name=include </dev/null`
  AS_IF([test -r "$TARGET_CC_INCLUDE/stdint.h"], [AC_MSG_RESULT([$TARGET_CC_INCLUDE])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$TARGET_CC has no headers of its own; gcc 10 or later is needed (package gcc)])])
  AC_SUBST([TARGET_CC_INCLUDE])
])

AC_DEFUN([SLIPWAY_GNU_MAKE], [
  AC_MSG_CHECKING([for GNU make])
  slipway_make=
  for slipway_m in "$MAKE" make gmake; do
    AS_IF([test -n "$slipway_m" && $slipway_m --version 2>/dev/null </dev/null | grep 'GNU Make' >/dev/null],
      [slipway_make=$slipway_m; break])
  done
  AS_IF([test -n "$slipway_make"], [AC_MSG_RESULT([$slipway_make])], [
    AC_MSG_RESULT([no])
    slipway_missing="$slipway_missing
  GNU make (package make)"])
])

# SLIPWAY_GRUB_PLATFORM(PLATFORM, PACKAGE)
AC_DEFUN([SLIPWAY_GRUB_PLATFORM], [
  AC_MSG_CHECKING([for GRUB's $1 modules])
  AS_IF([test -r /usr/lib/grub/$1/multiboot2.mod], [AC_MSG_RESULT([yes])], [
    AC_MSG_RESULT([no])
    slipway_missing="$slipway_missing
  GRUB for $1 (package $2)"])
])

# --with-newlib=DIR takes an installed newlib (DIR/include, DIR/lib), else it
# is built from the source that Debian packages.
AC_DEFUN([SLIPWAY_NEWLIB], [
  AC_ARG_WITH([newlib], [AS_HELP_STRING([--with-newlib=DIR],
    [take newlib from DIR/include and DIR/lib instead of building it])], [], [with_newlib=no])
  AC_ARG_VAR([NEWLIB_TARBALL], [archive of newlib's source])
  NEWLIB_READY=
  AC_MSG_CHECKING([for newlib])
  AS_CASE([$with_newlib],
    [no|yes|''], [
      AS_IF([test -z "$NEWLIB_TARBALL"], [
        for slipway_t in /usr/src/newlib/newlib-*.tar.xz; do
          AS_IF([test -r "$slipway_t"], [NEWLIB_TARBALL=$slipway_t])
        done])
      AS_IF([test -r "$NEWLIB_TARBALL"], [AC_MSG_RESULT([$NEWLIB_TARBALL])], [
        AC_MSG_RESULT([no])
        slipway_missing="$slipway_missing
  newlib's source (package newlib-source)"])],
    [AS_IF([test -r "$with_newlib/include/newlib.h" && test -r "$with_newlib/lib/libc.a"],
      [NEWLIB_READY=`cd "$with_newlib" && pwd`
       AC_MSG_RESULT([$NEWLIB_READY])],
      [AC_MSG_RESULT([no])
       AC_MSG_ERROR([--with-newlib=$with_newlib: no include/newlib.h and lib/libc.a there])])])
  AC_SUBST([NEWLIB_READY])
])

AC_DEFUN([SLIPWAY_REPORT_MISSING], [
  AS_IF([test -n "$slipway_absent"], [
    AC_MSG_WARN([not found (the build works without):$slipway_absent])])
  AS_IF([test -n "$slipway_missing"], [
    AC_MSG_ERROR([cannot build without:$slipway_missing
"./bootstrap --deps" installs all that is needed.])])
])
