# SPDX-License-Identifier: MIT
# The net core: linked into the kernel and into the host's tests.
NET_CORE_SOURCES = \
	net/core/core.c \
	net/core/endpoint.c \
	net/core/arena.c \
	net/core/idtable.c \
	net/core/link.c \
	net/core/loopback.c \
	net/core/netbuf.c \
	net/core/checksum.c \
	net/core/addrs.c \
	net/core/groups.c \
	net/core/routes.c \
	net/core/routes6.c \
	net/core/source6.c \
	net/core/neigh.c \
	net/core/config.c \
	net/core/info.c \
	net/core/ports.c \
	net/core/register.c \
	net/core/reserve.c \
	net/core/transfer.c \
	net/core/flows.c \
	net/core/slots.c \
	net/core/classify.c \
	net/core/classify6.c \
	net/core/deliver.c \
	net/core/transmit.c \
	net/core/txcheck.c \
	net/core/txcheck6.c \
	net/core/fragment.c \
	net/core/tap.c
