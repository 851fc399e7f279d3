/* cache.c: the folder of built objects. */
#include "cache.h"

#include "digest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TRAILER_BYTES = 8 + DIGEST_BYTES, STALE_SECONDS = 3600 };
static const char trailer_mark[8] = "lathe.1";

/* Makes the folder and those above it; the last one private. */
static bool make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(path, 0700);
        bool failed = made != 0 && errno != EEXIST;
        *slash = '/';
        if (failed) return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

/* Whoever can write here can have his code run by us: only we ourselves may. */
static bool is_private_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           !(status.st_mode & (S_IWGRP | S_IWOTH)) && access(path, W_OK | X_OK) == 0;
}

static bool user_folder(char *folder, size_t size) {
    const char *chosen = getenv("LATHE_CACHE"), *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int length;
    if (chosen && *chosen)
        length = snprintf(folder, size, "%s", chosen);
    else if (xdg && *xdg == '/')
        length = snprintf(folder, size, "%s/lathe", xdg);
    else if (home && *home == '/')
        length = snprintf(folder, size, "%s/.cache/lathe", home);
    else
        return false;
    if (length < 1 || (size_t)length >= size) return false;
    while (length > 1 && folder[length - 1] == '/') folder[--length] = '\0';
    return true;
}

bool cache_open(struct cache *cache, struct error *error) {
    cache->temporary = false;
    if (user_folder(cache->folder, sizeof cache->folder) && make_folders(cache->folder) &&
        is_private_folder(cache->folder))
        return true;
    const char *temporary = getenv("TMPDIR");
    if (!temporary || *temporary != '/' || strlen(temporary) > sizeof cache->folder - 20)
        temporary = "/tmp";
    snprintf(cache->folder, sizeof cache->folder, "%s/lathe-XXXXXX", temporary);
    if (!mkdtemp(cache->folder))
        return error_set(error,
                         "cannot make a folder for the compiler in %s: %s; set LATHE_CACHE to a "
                         "folder that can be written",
                         temporary, strerror(errno));
    cache->temporary = true;
    return true;
}

static bool has_suffix(const char *name, const char *suffix) {
    size_t length = strlen(name), end = strlen(suffix);
    return length > end && strcmp(name + length - end, suffix) == 0;
}

/* Only what we name so is ever removed: KEY.so, KEY.lock, KEY.PID.c, KEY.PID.log, KEY.PID.object.
 */
static bool is_ours(const char *name) {
    return strspn(name, "0123456789abcdef") == CACHE_KEY_SIZE - 1 &&
           name[CACHE_KEY_SIZE - 1] == '.' &&
           (has_suffix(name, ".so") || has_suffix(name, ".c") || has_suffix(name, ".log") ||
            has_suffix(name, ".object") || has_suffix(name, ".lock"));
}

void cache_close(struct cache *cache) {
    if (!cache->temporary) return;
    DIR *folder = opendir(cache->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (is_ours(entry->d_name)) unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder) closedir(folder);
    rmdir(cache->folder);
    cache->temporary = false;
}

void cache_key(char key[CACHE_KEY_SIZE], const char *const *parts) {
    struct digest digest;
    unsigned char result[DIGEST_BYTES];
    digest_begin(&digest);
    for (; *parts; parts++) digest_add(&digest, *parts, strlen(*parts) + 1);
    digest_end(&digest, result);
    for (int i = 0; i < CACHE_KEY_SIZE / 2; i++) snprintf(key + 2 * i, 3, "%02x", result[i]);
}

void cache_path(const struct cache *cache, const char *key, const char *suffix,
                char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s/%s%s", cache->folder, key, suffix);
}

/* The digest of the first `length` bytes of a file. */
static bool file_digest(FILE *file, long length, unsigned char result[DIGEST_BYTES]) {
    struct digest digest;
    char buffer[1 << 14];
    digest_begin(&digest);
    while (length > 0) {
        size_t part = length < (long)sizeof buffer ? (size_t)length : sizeof buffer;
        if (fread(buffer, 1, part, file) != part) return false;
        digest_add(&digest, buffer, part);
        length -= (long)part;
    }
    digest_end(&digest, result);
    return true;
}

static long file_length(FILE *file) {
    if (fseek(file, 0, SEEK_END) != 0) return -1;
    long length = ftell(file);
    rewind(file);
    return length;
}

bool cache_valid(const char *path) {
    unsigned char trailer[TRAILER_BYTES], digest[DIGEST_BYTES];
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    long length = file_length(file) - TRAILER_BYTES;
    bool valid = length > 0 && file_digest(file, length, digest) &&
                 fread(trailer, 1, TRAILER_BYTES, file) == TRAILER_BYTES &&
                 memcmp(trailer, trailer_mark, 8) == 0 &&
                 memcmp(trailer + 8, digest, DIGEST_BYTES) == 0;
    fclose(file);
    /* Now is its time of use: trimming goes by it. */
    if (valid) utimensat(AT_FDCWD, path, NULL, 0);
    return valid;
}

bool cache_store(const char *object, const char *path, struct error *error) {
    unsigned char digest[DIGEST_BYTES];
    FILE *file = fopen(object, "r+b");
    if (!file) return error_set(error, "%s: %s", object, strerror(errno));
    long length = file_length(file);
    /* The object ends in a row of its own: ELF ignores what follows its tables. */
    bool done = length > 0 && file_digest(file, length, digest) &&
                fseek(file, length, SEEK_SET) == 0 && fwrite(trailer_mark, 8, 1, file) == 1 &&
                fwrite(digest, DIGEST_BYTES, 1, file) == 1;
    done = fclose(file) == 0 && done;
    if (!done || rename(object, path) != 0)
        return error_set(error, "%s: %s", path, errno ? strerror(errno) : "cannot be written");
    return true;
}

/* Whether the lock is held by this very process, which waits for no one. */
static bool is_own_lock(int lock) {
    long holder = 0;
    return pread(lock, &holder, sizeof holder, 0) == sizeof holder && holder == (long)getpid();
}

int cache_lock(const struct cache *cache, const char *key, bool wait) {
    char path[PATH_MAX];
    long self = (long)getpid();
    cache_path(cache, key, ".lock", path);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) return CACHE_LOCK_NONE;
    int status = flock(lock, LOCK_EX | LOCK_NB), reason = status == 0 ? 0 : errno;
    if (reason == EWOULDBLOCK && !is_own_lock(lock)) {
        if (!wait) {
            close(lock);
            return CACHE_LOCK_BUSY;
        }
        do status = flock(lock, LOCK_EX);
        while (status != 0 && errno == EINTR);
    }
    if (status == 0 && pwrite(lock, &self, sizeof self, 0) == sizeof self) return lock;
    close(lock);
    return CACHE_LOCK_NONE;
}

void cache_unlock(const struct cache *cache, const char *key, int lock) {
    char path[PATH_MAX];
    if (lock < 0) return;
    cache_path(cache, key, ".lock", path);
    unlink(path); /* while it is ours; those who wait on it look for the entry first */
    close(lock);
}

struct entry {
    char name[64];
    long bytes;
    time_t used;
};

static int by_time_of_use(const void *a, const void *b) {
    time_t x = ((const struct entry *)a)->used, y = ((const struct entry *)b)->used;
    return x < y ? 1 : x > y ? -1 : 0;
}

void cache_trim(const struct cache *cache, long bytes) {
    DIR *folder = opendir(cache->folder);
    struct entry *entries = NULL;
    size_t count = 0, capacity = 0;
    if (!folder) return;
    for (struct dirent *file; (file = readdir(folder));) {
        struct stat status;
        if (!is_ours(file->d_name) || strlen(file->d_name) >= sizeof entries->name ||
            fstatat(dirfd(folder), file->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (!has_suffix(file->d_name, ".so")) {
            if (time(NULL) - status.st_mtime > STALE_SECONDS)
                unlinkat(dirfd(folder), file->d_name, 0);
            continue;
        }
        if (count == capacity) {
            struct entry *more = realloc(entries, (capacity = 2 * capacity + 64) * sizeof *more);
            if (!more) break;
            entries = more;
        }
        strcpy(entries[count].name, file->d_name);
        entries[count].bytes = (long)status.st_size;
        entries[count++].used = status.st_mtime;
    }
    if (count > 0) qsort(entries, count, sizeof *entries, by_time_of_use);
    for (size_t i = 0; i < count; i++) {
        bytes -= entries[i].bytes;
        if (bytes < 0) unlinkat(dirfd(folder), entries[i].name, 0);
    }
    free(entries);
    closedir(folder);
}
