/* lock.h: advisory locks: they go with the process that has them, however that ends. */
#ifndef LATHE_LOCK_H
#define LATHE_LOCK_H

#include "error.h"

/** Takes the lock of an open file. When a process is killed, one that it was just starting has the
 * lock for a moment more: it is waited for. False with errno when another process keeps it
 * (EWOULDBLOCK) or the file system has no locks. */
bool lock_take(int file);

/** Takes the lock of a folder; nothing is written into it. *lock is to be given back with
 * lock_release. Where the file system has no locks, that is fine. False + message when another
 * process has it. */
bool lock_folder(const char *folder, int *lock, struct error *error);

/** Gives a lock back; -1 is fine. */
void lock_release(int lock);

#endif
