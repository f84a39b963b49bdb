# SPDX-License-Identifier: MIT
# libnet: linked into every program that uses the network, and into host tests.
NET_STACK_SOURCES = \
	net/stack/buf.c \
	net/stack/checksum.c \
	net/stack/handover.c \
	net/stack/handover_tcp.c \
	net/stack/icmp.c \
	net/stack/icmp6.c \
	net/stack/ip6_input.c \
	net/stack/ip_input.c \
	net/stack/ip_output.c \
	net/stack/netstack.c \
	net/stack/path_mtu.c \
	net/stack/port.c \
	net/stack/ring.c \
	net/stack/sndbuf.c \
	net/stack/sockname.c \
	net/stack/socket.c \
	net/stack/sockopt.c \
	net/stack/tcp_ack.c \
	net/stack/tcp_buf.c \
	net/stack/tcp_cc.c \
	net/stack/tcp_cc_cubic.c \
	net/stack/tcp_cc_newreno.c \
	net/stack/tcp_conn.c \
	net/stack/tcp_cookie.c \
	net/stack/tcp_input.c \
	net/stack/tcp_listen.c \
	net/stack/tcp_mtu.c \
	net/stack/tcp_opt.c \
	net/stack/tcp_output.c \
	net/stack/tcp_rack.c \
	net/stack/tcp_reass.c \
	net/stack/tcp_recover.c \
	net/stack/tcp_sack.c \
	net/stack/tcp_sack_rcv.c \
	net/stack/tcp_sock.c \
	net/stack/tcp_timer.c \
	net/stack/timer.c \
	net/stack/udp.c

# netd's: resolution, addresses, reassembly.
NET_STACK_SOURCES += net/stack/arp.c net/stack/dhcp.c net/stack/frag.c
NET_STACK_SOURCES += net/stack/dns.c net/stack/dns_cache.c net/stack/dns_wire.c net/stack/sntp.c
NET_STACK_SOURCES += net/stack/nd.c net/stack/nd_addr.c net/stack/nd_ra.c
