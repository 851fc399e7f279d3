/* files.c: whole files in and out, folders and paths (see files.h). */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

char *files_join(const char *folder, const char *name) {
    size_t length = name[0] == '/' ? 0 : strlen(folder);
    int slash = length > 0 && folder[length - 1] != '/';
    size_t size = length + (size_t)slash + strlen(name) + 1;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%.*s%s%s", (int)length, folder, slash ? "/" : "", name);
    return path;
}

bool files_is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool files_exist(const char *path) {
    struct stat status;
    return stat(path, &status) == 0;
}

bool files_make_folder(const char *path, struct error *error) {
    if (files_is_folder(path)) return true;
    char *partial = files_join("", path);
    if (!partial) return error_set(error, "out of memory");
    bool fine = true;
    size_t length = strlen(partial);
    for (size_t i = 1; fine && i <= length; i++) {
        if (partial[i] != '/' && partial[i] != '\0') continue;
        partial[i] = '\0';
        int reason = mkdir(partial, 0777) == 0 ? 0 : errno;
        if (reason && !files_is_folder(partial))
            fine = error_set(error, "%s: cannot make the folder: %s", partial, strerror(reason));
        if (i < length) partial[i] = '/';
    }
    free(partial);
    return fine;
}

/* --- reading --- */

/* Opens anything but a folder. */
static int open_to_read(const char *path, struct stat *status, struct error *error) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        error_set(error, "%s: cannot open: %s", path, strerror(errno));
        return -1;
    }
    if (fstat(file, status) != 0 || S_ISDIR(status->st_mode)) {
        error_set(error, "%s: is a folder, not a file", path);
        close(file);
        return -1;
    }
    return file;
}

/* Makes a buffer at least twice as large. */
static bool grow(char **data, size_t *capacity) {
    size_t larger = *capacity * 2 + 65536;
    char *moved = larger > *capacity ? realloc(*data, larger) : NULL;
    if (!moved) return false;
    *data = moved;
    *capacity = larger;
    return true;
}

char *files_read(const char *path, size_t *size, struct error *error) {
    struct stat status;
    int file = open_to_read(path, &status, error);
    if (file < 0) return NULL;
    size_t capacity = S_ISREG(status.st_mode) ? (size_t)status.st_size + 2 : 65536, used = 0;
    char *data = malloc(capacity);
    ssize_t got = 1;
    while (data && got != 0) {
        if (used + 1 >= capacity && !grow(&data, &capacity)) {
            free(data);
            data = NULL;
            break;
        }
        got = read(file, data + used, capacity - used - 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) break;
        used += (size_t)got;
    }
    int reason = errno;
    close(file);
    if (!data) {
        error_set(error, "%s: out of memory", path);
        return NULL;
    }
    if (got < 0) {
        error_set(error, "%s: cannot read: %s", path, strerror(reason));
        free(data);
        return NULL;
    }
    data[used] = '\0';
    if (size) *size = used;
    return data;
}

/* --- views --- */

/* Inflates all members of a gzip stream. */
static bool inflate_all(const char *path, const struct file_view *packed, struct file_view *view,
                        struct error *error) {
    z_stream stream = {0};
    if (inflateInit2(&stream, 15 + 16) != Z_OK) return error_set(error, "%s: out of memory", path);
    char *data = NULL;
    size_t capacity = 0, used = 0, taken = 0;
    const char *complaint = NULL;
    /* The trailer holds the size (modulo 2^32): usually the first guess is right. Deflate never
     * packs more than 1032:1, so that a lying trailer cannot ask for much. */
    const uint8_t *tail = packed->data + packed->size - 4;
    size_t told = tail[0] | (size_t)tail[1] << 8 | (size_t)tail[2] << 16 | (size_t)tail[3] << 24;
    if (told / 1032 <= packed->size) {
        data = malloc(told + 1);
        capacity = data ? told + 1 : 0;
    }
    for (int status = Z_OK; !complaint;) {
        if ((!data || used + 1 >= capacity) && !grow(&data, &capacity)) {
            complaint = "out of memory";
            break;
        }
        size_t room = capacity - used - 1, left = packed->size - taken;
        stream.next_in = (Bytef *)packed->data + taken;
        stream.avail_in = (uInt)(left < INT_MAX ? left : INT_MAX);
        stream.next_out = (Bytef *)data + used;
        stream.avail_out = (uInt)(room < INT_MAX ? room : INT_MAX);
        uInt in_before = stream.avail_in, out_before = stream.avail_out;
        status = inflate(&stream, Z_NO_FLUSH);
        taken += in_before - stream.avail_in;
        used += out_before - stream.avail_out;
        if (status == Z_STREAM_END) {
            if (taken == packed->size) break;
            if (inflateReset(&stream) != Z_OK) complaint = "the gzip data is damaged";
        } else if (status != Z_OK && !(status == Z_BUF_ERROR && stream.avail_out == 0)) {
            complaint = status == Z_BUF_ERROR   ? "the gzip data ends too early"
                        : status == Z_MEM_ERROR ? "out of memory"
                                                : "the gzip data is damaged";
        }
    }
    inflateEnd(&stream);
    if (complaint) {
        free(data);
        return error_set(error, "%s: %s", path, complaint);
    }
    *view = (struct file_view){(uint8_t *)data, used, false};
    return true;
}

/* Maps a regular file, reads anything else. */
static bool view_raw(const char *path, struct file_view *view, struct error *error) {
    struct stat status;
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        int file = open_to_read(path, &status, error);
        if (file < 0) return false;
        size_t size = (size_t)status.st_size;
        void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
        close(file);
        if (data != MAP_FAILED) {
            *view = (struct file_view){data, size, true};
            return true;
        }
    }
    size_t size;
    char *data = files_read(path, &size, error);
    if (!data) return false;
    *view = (struct file_view){(uint8_t *)data, size, false};
    return true;
}

bool files_view(const char *path, struct file_view *view, struct error *error) {
    *view = (struct file_view){0};
    struct file_view raw;
    if (!view_raw(path, &raw, error)) return false;
    if (raw.size >= 18 && raw.data[0] == 0x1f && raw.data[1] == 0x8b) {
        bool fine = inflate_all(path, &raw, view, error);
        files_view_close(&raw);
        return fine;
    }
    *view = raw;
    return true;
}

void files_view_close(struct file_view *view) {
    if (view->mapped)
        munmap((void *)view->data, view->size);
    else
        free((void *)view->data);
    *view = (struct file_view){0};
}

/* --- writing --- */

static bool write_all(int file, const struct file_part *part) {
    const char *data = part->data;
    for (size_t done = 0; done < part->size;) {
        ssize_t wrote = write(file, data + done, part->size - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return false;
        done += (size_t)wrote;
    }
    return true;
}

/* The rename itself must reach the disk too; not every file system can promise it. */
static void synchronize_folder_of(const char *path) {
    char *folder = files_join("", path);
    if (!folder) return;
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    int file = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (file < 0) return;
    fsync(file);
    close(file);
}

/* What the name of a temporary file has behind that of the file: nothing else is called so. */
static const char temporary_mark[] = ".lathe-";
enum { TEMPORARY_LETTERS = 6 };

/* Creates "<path>.lathe-XXXXXX" with the permissions that a new file gets. */
static int open_temporary(const char *path, char **name) {
    size_t size = strlen(path) + sizeof temporary_mark + TEMPORARY_LETTERS;
    *name = malloc(size);
    if (!*name) return -1;
    snprintf(*name, size, "%s%sXXXXXX", path, temporary_mark);
    int file = mkstemp(*name);
    if (file < 0) return -1;
    mode_t mask = umask(0);
    umask(mask);
    fchmod(file, 0666 & ~mask);
    return file;
}

/* A file that is written beside the one it will replace. */
struct staged {
    char *path;      /* the file behind a link, not the link */
    char *temporary; /* NULL: nothing was created */
};

static bool is_writable(const char *path, bool *exists, struct error *error) {
    struct stat status;
    *exists = stat(path, &status) == 0;
    if (!*exists || S_ISREG(status.st_mode)) return true;
    return error_set(error, "%s: cannot write: %s", path,
                     S_ISDIR(status.st_mode) ? "it is a folder" : "it is not a plain file");
}

/* Writes the content to the disk, under a temporary name. */
static bool stage(const struct file_content *content, struct staged *staged, struct error *error) {
    bool exists;
    if (!is_writable(content->path, &exists, error)) return false;
    staged->path = exists ? realpath(content->path, NULL) : NULL;
    if (!staged->path) staged->path = files_join("", content->path);
    if (!staged->path) return error_set(error, "%s: out of memory", content->path);
    int file = open_temporary(staged->path, &staged->temporary);
    bool fine = file >= 0;
    for (int i = 0; fine && i < content->part_count; i++)
        fine = write_all(file, &content->parts[i]);
    if (fine) fine = fsync(file) == 0;
    int reason = errno;
    if (file >= 0 && close(file) != 0 && fine) {
        fine = false;
        reason = errno;
    }
    if (file < 0) {
        free(staged->temporary);
        staged->temporary = NULL;
    }
    return fine || error_set(error, "%s: cannot write: %s", content->path, strerror(reason));
}

static bool put_in_place(struct staged *staged, struct error *error) {
    if (rename(staged->temporary, staged->path) != 0)
        return error_set(error, "%s: cannot write: %s", staged->path, strerror(errno));
    free(staged->temporary);
    staged->temporary = NULL;
    synchronize_folder_of(staged->path);
    return true;
}

static void unstage(struct staged *staged) {
    if (staged->temporary) unlink(staged->temporary);
    free(staged->temporary);
    free(staged->path);
}

bool files_write_together(const struct file_content *files, int count, struct error *error) {
    struct staged *staged = calloc((size_t)count + 1, sizeof *staged);
    if (!staged) return error_set(error, "out of memory");
    bool fine = true;
    for (int i = 0; fine && i < count; i++) fine = stage(&files[i], &staged[i], error);
    for (int i = 0; fine && i < count; i++) fine = put_in_place(&staged[i], error);
    for (int i = 0; i < count; i++) unstage(&staged[i]);
    free(staged);
    return fine;
}

bool files_write(const char *path, const struct file_part *parts, int count, struct error *error) {
    return files_write_together(&(struct file_content){path, parts, count}, 1, error);
}

/* --- what killed writers leave --- */

static bool is_temporary_of(const char *entry, const char *pattern) {
    char name[256];
    size_t length = strlen(entry), end = sizeof temporary_mark - 1 + TEMPORARY_LETTERS;
    if (length <= end || length >= sizeof name) return false;
    const char *mark = entry + length - end;
    if (strncmp(mark, temporary_mark, sizeof temporary_mark - 1) != 0) return false;
    snprintf(name, sizeof name, "%.*s", (int)(length - end), entry);
    return fnmatch(pattern, name, 0) == 0;
}

void files_remove_temporary(const char *pattern) {
    const char *slash = strrchr(pattern, '/');
    char *folder = strndup(pattern, slash ? (size_t)(slash - pattern) : 0);
    DIR *entries = folder ? opendir(*folder ? folder : slash ? "/" : ".") : NULL;
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (is_temporary_of(entry->d_name, slash ? slash + 1 : pattern))
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries) closedir(entries);
    free(folder);
}
