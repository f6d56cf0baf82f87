/* SPDX-License-Identifier: MIT */
/* file.c: see file.h. */
#include "feature.h"

#include "file.h"

#include <errno.h>
#include <sys/stat.h>

#if defined(__APPLE__)
#define CHANGED(s) ((s).st_mtimespec)
#else
#define CHANGED(s) ((s).st_mtim)
#endif

int smtp_file_look(const char *path, smtp_file_mark *mark) {
  struct stat s;
  if (stat(path, &s) < 0) return SMTP_ESYSTEM;
  if (!S_ISREG(s.st_mode)) {
    errno = S_ISDIR(s.st_mode) ? EISDIR : EINVAL;
    return SMTP_ESYSTEM;
  }
  mark->size = (uint64_t)s.st_size;
  mark->device = (uint64_t)s.st_dev;
  mark->inode = (uint64_t)s.st_ino;
  mark->seconds = (int64_t)CHANGED(s).tv_sec;
  mark->nanoseconds = (int64_t)CHANGED(s).tv_nsec;
  return 0;
}

int smtp_file_folder(const char *path) {
  if (mkdir(path, 0700) == 0) return 1;
  return errno == EEXIST ? 0 : SMTP_ESYSTEM;
}
