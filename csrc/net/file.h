/* SPDX-License-Identifier: MIT */
/*
** file.h: what is asked of files and folders by their names.
*/
#ifndef SMTP_NET_FILE_H
#define SMTP_NET_FILE_H

#include "../core/smtp.h"

/*
** What a file was when it was looked at. Two marks of one name that differ in
** any way are of two contents.
*/
typedef struct smtp_file_mark {
  uint64_t size; /* bytes */
  uint64_t device, inode;
  int64_t seconds, nanoseconds; /* of the last change */
} smtp_file_mark;

/*
** Marks the file at a path, which ends in a NUL. SMTP_ESYSTEM and errno on
** failure: a folder is EISDIR, and what is no regular file, reading which may
** never end, is EINVAL.
*/
SMTP_FUNC int smtp_file_look(const char *path, smtp_file_mark *mark);

/*
** Makes a folder that only its owner may enter: 1, or 0 if there is one already.
** SMTP_ESYSTEM and errno on failure. A new folder is durable once the folder
** above it was synced.
*/
SMTP_FUNC int smtp_file_folder(const char *path);

#endif
