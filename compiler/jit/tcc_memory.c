/* tcc_memory.c: a pool in huge pages, where the system has them (see tcc_memory.h). Of what is
 * given back only the latest block is used again. */
#include "tcc_memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum { HUGE_PAGE = 2 << 20, ALIGNMENT = 16 };

struct chunk {
    struct chunk *next;
    size_t used, size;
};

static struct chunk *chunks;

static size_t aligned(size_t size) {
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static struct chunk *chunk_new(size_t size) {
    struct chunk *chunk;
    size = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (posix_memalign((void **)&chunk, HUGE_PAGE, size) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    madvise(chunk, size, MADV_HUGEPAGE);
#endif
    *chunk = (struct chunk){chunks, aligned(sizeof *chunk), size};
    return chunk;
}

/* Before each block stands its size. */
static size_t *size_of(void *memory) {
    return (size_t *)(void *)((char *)memory - ALIGNMENT);
}

static bool is_latest(void *memory) {
    return (char *)memory + *size_of(memory) == (char *)chunks + chunks->used;
}

void *libtcc_malloc(size_t size) {
    if (size > SIZE_MAX / 2) return NULL;
    size = aligned(size);
    if (!chunks || chunks->size - chunks->used < size + ALIGNMENT) {
        struct chunk *chunk = chunk_new(aligned(sizeof *chunk) + ALIGNMENT + size);
        if (!chunk) return NULL;
        chunks = chunk;
    }
    char *memory = (char *)chunks + chunks->used + ALIGNMENT;
    chunks->used += ALIGNMENT + size;
    *size_of(memory) = size;
    return memory;
}

void *libtcc_calloc(size_t count, size_t size) {
    if (size > 0 && count > SIZE_MAX / size) return NULL;
    void *memory = libtcc_malloc(count * size);
    return memory ? memset(memory, 0, count * size) : NULL;
}

void libtcc_free(void *memory) {
    if (memory && is_latest(memory)) chunks->used -= ALIGNMENT + *size_of(memory);
}

void *libtcc_realloc(void *old, size_t size) {
    size_t old_size = old ? *size_of(old) : 0;
    if (old && size <= old_size) return old;
    if (old && is_latest(old) && aligned(size) - old_size <= chunks->size - chunks->used) {
        chunks->used += aligned(size) - old_size;
        *size_of(old) = aligned(size);
        return old;
    }
    void *memory = libtcc_malloc(size);
    return memory && old ? memcpy(memory, old, old_size) : memory;
}

void tcc_memory_release(void) {
    for (struct chunk *chunk = chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    chunks = NULL;
}
