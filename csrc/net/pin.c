/* SPDX-License-Identifier: MIT */
/*
** pin.c: finds the object that holds an address of our own, and opens it again
** with RTLD_NODELETE. The handle is given up at once; the flag stays.
*/
#include "feature.h"

#include "pin.h"

#include <dlfcn.h>
#include <pthread.h>

/* Data, since ISO C has no cast from a function to void *. */
static char anchor;

static void pin(void) {
  Dl_info info;
  void *object;
  if (!dladdr(&anchor, &info) || !info.dli_fname) return;
  object = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
  if (object) dlclose(object);
}

void smtp_pin(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, pin);
}
