/* SPDX-License-Identifier: MIT */
/*
** mem.h: the allocator that is passed in. One function does all, shaped as
** lua_Alloc is: p NULL allocates, n 0 frees, else it resizes. A test passes
** one that fails at the n-th call.
*/
#ifndef SMTP_MEM_H
#define SMTP_MEM_H

#include "smtp.h"

typedef struct smtp_mem {
  void *(*alloc)(void *ctx, void *p, size_t old, size_t n);
  void *ctx;
} smtp_mem;

/* The C library's realloc and free. Static; never freed. */
SMTP_FUNC const smtp_mem *smtp_mem_libc(void);

/* NULL when there is no memory. smtp_mem_new also clears the bytes to 0. */
SMTP_FUNC void *smtp_mem_new(const smtp_mem *mem, size_t n);
SMTP_FUNC void *smtp_mem_resize(const smtp_mem *mem, void *p, size_t old,
                                size_t n);

/* Frees n bytes at p; p may be NULL. */
SMTP_FUNC void smtp_mem_free(const smtp_mem *mem, void *p, size_t n);

/* Writes zeros that no compiler leaves out: for what held a secret. */
SMTP_FUNC void smtp_mem_wipe(void *p, size_t n);

#endif
