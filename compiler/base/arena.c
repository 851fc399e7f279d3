/* arena.c: one arena per compilation (see arena.h). */
#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

/* An arena for a single question, or for a model, stays small. One for a compilation soon takes
 * huge pages, where the system has them: page by page, first touches would be half of the time that
 * compiling takes. */
enum { FIRST_CHUNK = 4 << 10, CHUNK_GROWTH = 8, HUGE_PAGE = 2 << 20, ALIGNMENT = 16 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
};

static long fail_after;

void arena_fail_after(long n) {
    fail_after = n;
}

void arena_init(struct arena *arena) {
    arena->chunks = NULL;
}

void arena_free(struct arena *arena) {
    for (struct arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    arena->chunks = NULL;
}

static size_t aligned(size_t size) {
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* A chunk with room for at least `room` bytes, or NULL. */
static struct arena_chunk *chunk_new(size_t room) {
    struct arena_chunk *chunk;
    size_t size = aligned(sizeof *chunk) + room;
    if (size >= HUGE_PAGE / 4) {
        size = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        if (posix_memalign((void **)&chunk, HUGE_PAGE, size) != 0) return NULL;
#ifdef MADV_HUGEPAGE
        madvise(chunk, size, MADV_HUGEPAGE);
#endif
    } else {
        chunk = malloc(size);
        if (!chunk) return NULL;
    }
    chunk->used = 0;
    chunk->size = size - aligned(sizeof *chunk);
    return chunk;
}

static void add_chunk(struct arena *arena, size_t room) {
    struct arena_chunk *chunk = chunk_new(room);
    if (!chunk) longjmp(arena->exhausted, 1);
    chunk->next = arena->chunks;
    arena->chunks = chunk;
}

void arena_reserve(struct arena *arena, size_t size) {
    const struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < size) add_chunk(arena, aligned(size));
}

/* size is a multiple of the alignment. */
static void *take(struct arena *arena, size_t size) {
    struct arena_chunk *chunk = arena->chunks;
    size_t header = aligned(sizeof *chunk);
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = (chunk ? CHUNK_GROWTH * (chunk->size + header) : FIRST_CHUNK) - header;
        if (room > HUGE_PAGE - header) room = HUGE_PAGE - header;
        add_chunk(arena, room < size ? size : room);
        chunk = arena->chunks;
    }
    void *memory = (char *)chunk + header + chunk->used;
    chunk->used += size;
    return memory;
}

/* What an allocation of size bytes takes; jumps where it must fail. */
static size_t allocation_size(struct arena *arena, size_t size) {
    if (fail_after && --fail_after == 0) longjmp(arena->exhausted, 1);
    if (size > (size_t)-1 / 2) longjmp(arena->exhausted, 1);
    return aligned(size);
}

void *arena_alloc(struct arena *arena, size_t size) {
    size = allocation_size(arena, size);
    return memset(take(arena, size), 0, size);
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size) {
    struct arena_chunk *chunk = arena->chunks;
    size_t header = aligned(sizeof *chunk);
    old_size = aligned(old_size);
    size = allocation_size(arena, size);
    if (old && (char *)old + old_size == (char *)chunk + header + chunk->used &&
        size - old_size <= chunk->size - chunk->used) {
        chunk->used += size - old_size;
        return old;
    }
    void *memory = take(arena, size);
    return old ? memcpy(memory, old, old_size) : memory;
}

char *arena_string(struct arena *arena, const char *string) {
    size_t size = strlen(string) + 1;
    return memcpy(arena_alloc(arena, size), string, size);
}

char *arena_format(struct arena *arena, const char *format, ...) {
    char start[256]; /* most strings fit: then they are formatted once */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(start, sizeof start, format, arguments);
    va_end(arguments);
    if ((size_t)length < sizeof start) return arena_string(arena, start);
    char *string = arena_alloc(arena, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(string, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return string;
}
