/* cache.h: the folder that keeps built objects: $LATHE_CACHE, or lathe/ in $XDG_CACHE_HOME or
 * ~/.cache.
 *
 * An entry is KEY.so: the object followed by its own digest, so that a damaged or half-written one
 * is seen and built anew. The folder must be ours alone to write; where there is no such folder, a
 * private temporary one takes its place and goes away at the end. */
#ifndef LATHE_CACHE_H
#define LATHE_CACHE_H

#include "../../runtime/error.h"

#include <limits.h>

enum { CACHE_KEY_SIZE = 33, CACHE_BYTES = 256 << 20 };

struct cache {
    char folder[PATH_MAX / 2];
    bool temporary;
};

/** Finds or makes the folder. */
bool cache_open(struct cache *cache, struct error *error);

/** Removes the folder if it is a temporary one, with all that is in it. */
void cache_close(struct cache *cache);

/** The key of an entry: hexadecimal digest of the strings (the list ends with NULL). */
void cache_key(char key[CACHE_KEY_SIZE], const char *const *parts);

/** Writes FOLDER/KEY and the suffix into path. */
void cache_path(const struct cache *cache, const char *key, const char *suffix,
                char path[PATH_MAX]);

/** True if the file is an entry that cache_store finished; marks it as used now. */
bool cache_valid(const char *path);

/** Appends the digest to a finished object and renames it to the entry's path. */
bool cache_store(const char *object, const char *path, struct error *error);

/* What cache_lock answers when it holds nothing. */
enum { CACHE_LOCK_BUSY = -1, CACHE_LOCK_NONE = -2 };

/** Claims the building of an entry, so that of several processes one builds and the others wait for
 * it: a lock on FOLDER/KEY.lock, which goes with the process. Returns a handle for cache_unlock;
 * CACHE_LOCK_BUSY when another process has it (not with wait), CACHE_LOCK_NONE where files cannot
 * be locked. Who has waited must look whether the entry is there now. */
int cache_lock(const struct cache *cache, const char *key, bool wait);

/** Gives the claim back; anything that is no handle is fine. */
void cache_unlock(const struct cache *cache, const char *key, int lock);

/** Removes the entries used longest ago until at most `bytes` are left, and what builds that were
 * cut off left behind. */
void cache_trim(const struct cache *cache, long bytes);

#endif
