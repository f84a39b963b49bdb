/* SPDX-License-Identifier: MIT
 *
 * kernel/message.h: what kernel/endpoint.c and kernel/message.c share.
 *
 * Owns: open calls and the priority that they lend, in place because every
 * message passes here. Context: thread.
 */
#ifndef KERNEL_MESSAGE_H
#define KERNEL_MESSAGE_H

#include <kernel/proc.h>
#include <slipway/errno.h>

static inline struct endpoint *endpoint_of_owner(struct object *o)
{
    return (struct endpoint *)o; /* owner is the first member */
}

static inline struct endpoint *endpoint_of_peer(struct object *o)
{
    return (struct endpoint *)((char *)o - offsetof(struct endpoint, peer));
}

static inline void call_unlend(struct call *c) /* it is lent */
{
    struct thread *server = c->server;

    c->server = NULL;
    *c->lend_prev = c->lend_next;
    if (c->lend_next != NULL)
        c->lend_next->lend_prev = c->lend_prev;
    if (server->priority != server->base && c->caller->priority >= server->priority)
        thread_recompute_priority(server); /* this loan was the one that counted */
}

static inline void call_lend(struct call *c, struct thread *server)
{
    if (c->server != NULL)
        call_unlend(c);
    c->server = server;
    c->lend_next = server->lenders;
    c->lend_prev = &server->lenders;
    if (server->lenders != NULL)
        server->lenders->lend_prev = &c->lend_next;
    server->lenders = c;
    if (c->caller->priority > server->priority)
        thread_recompute_priority(server); /* C-MSG-7 */
}

static inline void call_open(struct call *c, struct endpoint *e)
{
    c->endpoint = e;
    c->next = e->calls;
    c->prev = &e->calls;
    if (e->calls != NULL)
        e->calls->prev = &c->next;
    e->calls = c;
}

static inline void call_close(struct call *c)
{
    if (c->server != NULL)
        call_unlend(c);
    if (c->endpoint == NULL)
        return;
    *c->prev = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    c->endpoint = NULL;
}

#endif
