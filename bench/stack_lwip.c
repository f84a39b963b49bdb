/* SPDX-License-Identifier: MIT
 *
 * bench/stack_lwip.c: lwIP under bench/stack, by its raw (callback) API: the leanest
 * that it offers. Its clock and its timers stand still, which spares it their work.
 */
#include "stack_work.h"
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <stdlib.h>
#include <string.h>

static struct netif card;
static uint32_t waiting; /* bytes of a request */

static err_t output(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
    uint8_t header[60];

    (void)n, (void)to;
    counted_end();
    pbuf_copy_partial(p, header, sizeof(header), 0);
    work_output(header, p->tot_len);
    counted_begin();
    return ERR_OK;
}

static err_t attach(struct netif *n)
{
    n->output = output;
    n->mtu = 1500;
    n->flags = NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static void send_all(struct tcp_pcb *pcb)
{
    while (tcp_sndbuf(pcb) >= sizeof(work_buffer) &&
           tcp_write(pcb, work_buffer, sizeof(work_buffer), TCP_WRITE_FLAG_COPY) == ERR_OK)
        ;
    tcp_output(pcb);
}

static err_t sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    (void)arg, (void)len;
    if (work_mode == WORK_OUT)
        send_all(pcb);
    return ERR_OK;
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    (void)arg, (void)err;
    if (p == NULL)
        return ERR_OK;
    waiting += pbuf_copy_partial(p, work_buffer, sizeof(work_buffer), 0);
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    if (work_mode == WORK_ECHO && waiting >= WORK_REQUEST) {
        waiting -= WORK_REQUEST;
        tcp_write(pcb, work_buffer, WORK_RESPONSE, TCP_WRITE_FLAG_COPY);
        tcp_output(pcb);
    }
    return ERR_OK;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg, (void)err;
    tcp_recv(pcb, received);
    tcp_sent(pcb, sent);
    tcp_nagle_disable(pcb);
    if (work_mode == WORK_OUT)
        send_all(pcb);
    return ERR_OK;
}

void stack_start(void)
{
    ip4_addr_t ip, mask, gateway;
    struct tcp_pcb *l;

    lwip_init();
    IP4_ADDR(&ip, 10, 0, 0, 1);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 10, 0, 0, 2);
    netif_add(&card, &ip, &mask, &gateway, NULL, attach, ip_input);
    netif_set_default(&card);
    netif_set_up(&card);
    l = tcp_new();
    if (l == NULL || tcp_bind(l, IP_ADDR_ANY, WORK_PORT) != ERR_OK)
        abort();
    tcp_accept(tcp_listen(l), accepted);
}

void stack_input(const uint8_t *packet, size_t n)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM);

    if (p == NULL || pbuf_take(p, packet, (u16_t)n) != ERR_OK)
        abort();
    counted_begin();
    card.input(p, &card);
    counted_end();
}
