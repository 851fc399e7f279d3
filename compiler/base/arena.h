/* arena.h: one arena per compilation.
 *
 * Everything a compilation makes (layers, tensors, kernels, text) lives in its arena and goes with
 * it. When memory runs out, arena_alloc jumps to the point the owner set, so that no code between
 * has to test every allocation. */
#ifndef LATHE_ARENA_H
#define LATHE_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks;
    jmp_buf exhausted; /* set with setjmp before the first allocation; arena_alloc longjmps here */
};

/** Prepares an empty arena. The caller then does `if (setjmp(arena->exhausted)) -> out of memory`. */
void arena_init(struct arena *arena);

/** Frees all memory of the arena; it can be used again afterwards. */
void arena_free(struct arena *arena);

/** Room for so many bytes in one piece, in an arena that will need them; a megabyte or more is taken
 * in huge pages where the system has them. Jumps as arena_alloc does. */
void arena_reserve(struct arena *arena, size_t size);

/** Returns size zeroed bytes, aligned to 16. Never returns NULL: jumps to arena->exhausted. */
void *arena_alloc(struct arena *arena, size_t size);

/** Makes an allocation of old_size bytes larger, in place if it was the last one; returns where it is
 * now. What is added is not zeroed: pages of it that nobody writes cost nothing. old may be NULL. */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size);

/** Copies a string into the arena. */
char *arena_string(struct arena *arena, const char *string);

/** Formats a string into the arena. */
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (size_t)(count)))

/** For tests: makes the n-th following allocation (1 = next) of any arena fail; 0 turns it off. */
void arena_fail_after(long n);

#endif
