# SPDX-License-Identifier: MIT
# tests/system/system.mk: system tests are Python; tests/run-checks runs them.
