# SPDX-License-Identifier: MIT
#
# tools/tools.mk: host programs, in automake's terms (this one is read by
# automake, unlike the other folders' fragments).
