/* lock.c: advisory locks (see lock.h). */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

bool lock_take(int file) {
    enum { TRIES = 100, MICROSECONDS = 10000 };
    for (int i = 0; i < TRIES; i++) {
        if (flock(file, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK && errno != EINTR) return false;
        usleep(MICROSECONDS);
    }
    errno = EWOULDBLOCK;
    return false;
}

bool lock_folder(const char *folder, int *lock, struct error *error) {
    *lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*lock < 0) return error_set(error, "%s: cannot open: %s", folder, strerror(errno));
    if (lock_take(*lock) || errno != EWOULDBLOCK) return true;
    lock_release(*lock);
    *lock = -1;
    return error_set(error, "%s: another process is training into this folder; --save another one",
                     folder);
}

void lock_release(int lock) {
    if (lock >= 0) close(lock);
}
