/* SPDX-License-Identifier: MIT */
/*
** mem.c: the allocator that is passed in, and the C library's behind the same
** shape. There is nothing here but what keeps callers from repeating it.
*/
#include "mem.h"

#include <stdlib.h>
#include <string.h>

static void *libc_alloc(void *ctx, void *p, size_t old, size_t n) {
  (void)ctx;
  (void)old;
  if (n == 0) {
    free(p);
    return NULL;
  }
  return realloc(p, n);
}

const smtp_mem *smtp_mem_libc(void) {
  static const smtp_mem libc = {libc_alloc, NULL};
  return &libc;
}

void *smtp_mem_new(const smtp_mem *mem, size_t n) {
  void *p = mem->alloc(mem->ctx, NULL, 0, n);
  if (p != NULL) memset(p, 0, n);
  return p;
}

void *smtp_mem_resize(const smtp_mem *mem, void *p, size_t old, size_t n) {
  return mem->alloc(mem->ctx, p, old, n);
}

void smtp_mem_free(const smtp_mem *mem, void *p, size_t n) {
  if (p != NULL) mem->alloc(mem->ctx, p, n, 0);
}

/* No compiler knows what a volatile pointer points to, and so must call it. */
static void *(*const volatile clear)(void *, int, size_t) = memset;

void smtp_mem_wipe(void *p, size_t n) {
  if (n > 0) clear(p, 0, n);
}
