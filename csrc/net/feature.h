/* SPDX-License-Identifier: MIT */
/*
** feature.h: included first by every .c file of csrc/net. It asks the C
** library for functions beyond POSIX (accept4, dladdr, mkostemp ...) and sets
** the back-ends of this system. poll is everywhere.
**
** SMTP_PORTABLE builds the version for a system with only POSIX, so that it
** can be tested on any system.
*/
#ifndef SMTP_NET_FEATURE_H
#define SMTP_NET_FEATURE_H

#if defined(__linux__)
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#ifndef SMTP_PORTABLE
#define SMTP_HAVE_EPOLL 1
#define SMTP_HAVE_EVENTFD 1
#define SMTP_HAVE_SIGNALFD 1
#define SMTP_HAVE_RENAMEAT2 1 /* if the C library knows it too */
#include <limits.h>           /* brings __GLIBC_PREREQ, where it is glibc */
#ifdef __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 34)
#define SMTP_HAVE_RES_NQUERY 1 /* in libc itself, and it knows RES_TRUSTAD */
#endif
#endif
#endif
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE 1
#define SMTP_HAVE_KQUEUE 1
#elif defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__DragonFly__)
#undef _POSIX_C_SOURCE /* these systems hide all that is theirs behind it */
#define SMTP_HAVE_KQUEUE 1
#elif defined(__NetBSD__)
#define _NETBSD_SOURCE 1
#define SMTP_HAVE_KQUEUE 1
#elif defined(__sun)
#define __EXTENSIONS__ 1
#endif

#endif
