/* SPDX-License-Identifier: MIT */
/*
** file.h: files and folders by their names.
*/
#ifndef SMTP_NET_FILE_H
#define SMTP_NET_FILE_H

#include "../core/smtp.h"

/*
** The state of a file. Two different marks of one name are of two contents.
*/
typedef struct smtp_file_mark {
  uint64_t size; /* bytes */
  uint64_t device, inode;
  int64_t seconds, nanoseconds; /* of the last change */
} smtp_file_mark;

/*
** Marks the file at a path, which ends in a NUL. SMTP_ESYSTEM and errno on
** failure: EISDIR for a folder, EINVAL for another file that is not regular,
** since reading it may never end.
*/
SMTP_FUNC int smtp_file_look(const char *path, smtp_file_mark *mark);

/*
** Makes a folder that only its owner may enter: 1, or 0 if it exists already.
** SMTP_ESYSTEM and errno on failure. A new folder is durable once the folder
** above it was synced.
*/
SMTP_FUNC int smtp_file_folder(const char *path);

#endif
