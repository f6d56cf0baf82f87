/* SPDX-License-Identifier: MIT */
/*
** spool.c: the order matters: write, sync the file, name it, sync the folder,
** and only then report success.
*/
#include "feature.h"

#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELD_MAX 8192 /* bytes that wait for more, so that lines cost little */

struct smtp_spool {
  char *path;   /* of the temporary file; NULL when there is none any more */
  char *target; /* of the commit */
  size_t target_n;
  int fd;    /* -1 when closed */
  int error; /* the first failure, an errno */
  bool overwrite;
  int above;    /* so many folders above the target's are synced, too */
  bool foreign; /* the failure is about the target, not the path */
  pid_t owner;  /* the process that may remove the file */
  size_t held;
  char bytes[HELD_MAX];
};

/* A terminated copy; EINVAL for an empty path and for one with NUL. */
static char *copypath(smtp_slice s) {
  char *copy;
  if (s.n == 0 || memchr(s.p, 0, s.n)) {
    errno = EINVAL;
    return NULL;
  }
  if (!(copy = malloc(s.n + 1))) return NULL;
  memcpy(copy, s.p, s.n);
  copy[s.n] = 0;
  return copy;
}

static int create(char *path, size_t n) {
  int fd;
  if (n >= 6 && memcmp(path + n - 6, "XXXXXX", 6) == 0)
    return mkostemp(path, O_CLOEXEC);
  do fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  while (fd < 0 && errno == EINTR);
  return fd;
}

smtp_spool *smtp_spool_new(smtp_slice path) {
  smtp_spool *s = malloc(sizeof *s);
  int error;
  if (!s) return NULL;
  memset(s, 0, offsetof(smtp_spool, bytes));
  s->owner = getpid();
  s->fd = -1;
  if ((s->path = copypath(path)) && (s->fd = create(s->path, path.n)) >= 0)
    return s;
  error = errno;
  free(s->path); /* not ours to remove */
  free(s);
  errno = error;
  return NULL;
}

/* Whether close succeeded: some file systems tell a full disk only here. */
static bool closefile(smtp_spool *s) {
  int fd = s->fd;
  s->fd = -1;
  return fd < 0 || close(fd) == 0 || errno == EINTR;
}

static void removefile(smtp_spool *s) {
  if (s->path && s->owner == getpid()) unlink(s->path);
  free(s->path);
  s->path = NULL;
}

void smtp_spool_free(smtp_spool *s) {
  if (!s) return;
  closefile(s);
  removefile(s);
  free(s->target);
  free(s);
}

const char *smtp_spool_path(const smtp_spool *s) {
  return s->path;
}

static int writeall(smtp_spool *s, const char *p, size_t n) {
  while (n > 0) {
    ssize_t done = write(s->fd, p, n);
    if (done < 0) {
      if (errno == EINTR) continue;
      s->error = errno;
      return SMTP_ESYSTEM;
    }
    p += done;
    n -= (size_t)done;
  }
  return 0;
}

static int flush(smtp_spool *s) {
  size_t n = s->held;
  s->held = 0;
  return writeall(s, s->bytes, n);
}

int smtp_spool_write(smtp_spool *s, const char *p, size_t n) {
  int result = 0;
  if (!s->error && n > sizeof s->bytes - s->held) result = flush(s);
  if (s->error) {
    errno = s->error;
    return SMTP_ESYSTEM;
  }
  if (n >= sizeof s->bytes) {
    result = writeall(s, p, n);
  } else if (n > 0) {
    memcpy(s->bytes + s->held, p, n);
    s->held += n;
  }
  return result;
}

/* The folder of a path: its name without the last component; "." for "a". */
static smtp_slice folderof(smtp_slice path) {
  while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
  while (path.n > 0 && path.p[path.n - 1] != '/') path.n--;
  while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
  return path.n > 0 ? path : SMTP_LIT(".");
}

static int openfolder(smtp_slice path) {
  char *folder = copypath(path);
  int fd;
  if (!folder) return -1;
  fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  free(folder);
  return fd;
}

static int syncfile(int fd) {
#if defined(F_FULLFSYNC) /* macOS: fsync stops at the disk's own memory */
  if (fcntl(fd, F_FULLFSYNC) == 0) return 0;
  return errno == ENOTSUP || errno == EINVAL ? fsync(fd) : -1;
#elif defined(_POSIX_SYNCHRONIZED_IO) && _POSIX_SYNCHRONIZED_IO > 0
  return fdatasync(fd);
#else
  return fsync(fd);
#endif
}

/* EINVAL: this file system has nothing to sync for a folder. */
static int syncfolder(int fd) {
  return fsync(fd) == 0 || errno == EINVAL ? 0 : -1;
}

/* Names the file target unless that exists; path is then gone. */
static int nameonce(const char *path, const char *target) {
#if defined(SMTP_HAVE_RENAMEAT2) && defined(RENAME_NOREPLACE)
  if (renameat2(AT_FDCWD, path, AT_FDCWD, target, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1; /* not known there */
#endif
  if (link(path, target) < 0) return -1;
  unlink(path);
  return 0;
}

static int namefile(smtp_spool *s) {
  s->foreign = true;
  if (s->overwrite ? rename(s->path, s->target) < 0
                   : nameonce(s->path, s->target) < 0)
    return -1;
  free(s->path);
  s->path = NULL;
  return 0;
}

/*
** Syncs folders above the target's folder: a new folder survives a crash only
** if its parent was synced.
*/
static int syncabove(const smtp_spool *s) {
  smtp_slice folder = folderof((smtp_slice){s->target, s->target_n});
  int left, fd, result = 0;
  for (left = s->above; result == 0 && left > 0; left--) {
    folder = folderof(folder);
    if ((fd = openfolder(folder)) < 0) return -1;
    result = syncfolder(fd);
    close(fd);
  }
  return result;
}

/* Everything that may fail is an errno in s->error. */
static int makedurable(smtp_spool *s) {
  int folder;
  if (flush(s) < 0) return -1;
  if (syncfile(s->fd) < 0 || !closefile(s)) return -1;
  s->foreign = true;
  if (syncabove(s) < 0) return -1;
  folder = openfolder(folderof((smtp_slice){s->target, s->target_n}));
  if (folder < 0) return -1;
  if (namefile(s) == 0) {
    if (syncfolder(folder) == 0) {
      close(folder);
      return 0;
    }
    s->error = errno;
    /* a new name can be removed; a replaced file cannot be restored */
    if (!s->overwrite) unlink(s->target);
  }
  if (!s->error) s->error = errno;
  close(folder);
  return -1;
}

static void run(void *data) {
  smtp_spool *s = data;
  if (makedurable(s) == 0) return;
  if (!s->error) s->error = errno;
  closefile(s);
  if (s->path && s->owner == getpid()) unlink(s->path);
  s->owner = -1; /* removed; the path is kept for the report */
}

static void destroy(void *data) {
  smtp_spool_free(data);
}

smtp_job *smtp_spool_commit(smtp_spool *s, smtp_slice target, bool overwrite,
                            int above) {
  smtp_job *job;
  if (s->error) {
    errno = s->error;
    return NULL;
  }
  free(s->target);
  if (!(s->target = copypath(target))) return NULL;
  s->target_n = target.n;
  s->overwrite = overwrite;
  s->above = above;
  job = smtp_job_start(SMTP_JOB_FILE, run, destroy, s);
  return job;
}

bool smtp_spool_result(smtp_job *job, int *error, const char **path) {
  smtp_spool *s;
  if (!smtp_job_done(job)) return false;
  s = smtp_job_data(job);
  *error = s->error;
  *path = s->foreign || !s->path ? s->target : s->path;
  return true;
}
