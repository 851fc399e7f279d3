/* files.h: whole files in and out, folders and paths. */
#ifndef LATHE_FILES_H
#define LATHE_FILES_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

/** Reads a whole file into memory that the caller frees. A NUL byte follows the content. size may
 * be NULL. NULL + message on failure. */
char *files_read(const char *path, size_t *size, struct error *error);

/* A piece of what files_write writes. */
struct file_part {
    const void *data;
    size_t size;
};

/** Writes the parts one after the other so that a reader sees the old file or the whole new one,
 * also after a crash: a temporary file in the same folder is written, synchronized and renamed. */
bool files_write(const char *path, const struct file_part *parts, int count, struct error *error);

/* A file of files_write_together: its parts one after the other. */
struct file_content {
    const char *path;
    const struct file_part *parts;
    int part_count;
};

/** Writes files that belong together: none of them is replaced before all are on the disk. */
bool files_write_together(const struct file_content *files, int count, struct error *error);

/** Removes the temporary files of a file (the name behind the last '/' may hold * and other
 * wildcards of fnmatch), which writers that were killed have left. No one may be writing it. */
void files_remove_temporary(const char *pattern);

/** Makes a folder and those above it; one that exists is fine. */
bool files_make_folder(const char *path, struct error *error);

/** True if path names a folder (or a link to one). */
bool files_is_folder(const char *path);

/** True if path names something that exists. */
bool files_exist(const char *path);

/** "folder/name", to be freed by the caller; just name when folder is "" or name is absolute. NULL
 * when memory is out. */
char *files_join(const char *folder, const char *name);

/* The content of a file: mapped (paged in as it is touched), or inflated if it was gzipped. */
struct file_view {
    const uint8_t *data;
    size_t size;
    bool mapped;
};

/** Opens a file for reading; a gzip stream is inflated to memory. An empty file gives size 0. */
bool files_view(const char *path, struct file_view *view, struct error *error);

/** Gives the memory back and clears the view; a cleared view is fine. */
void files_view_close(struct file_view *view);

#endif
