/* tcc_memory.h: the memory of libtcc, a pool of our own.
 *
 * The build hands libtcc these in place of malloc and its kin (Makefile): a compilation asks for
 * memory thousands of times, gives back little, and then ends; page by page, first touches of the
 * C library's memory would take longer than compiling. */
#ifndef LATHE_TCC_MEMORY_H
#define LATHE_TCC_MEMORY_H

#include <stddef.h>

/** As the functions of the C library without "libtcc_". One thread at a time. */
void *libtcc_malloc(size_t size);
void *libtcc_calloc(size_t count, size_t size);
void *libtcc_realloc(void *old, size_t size);
void libtcc_free(void *memory);

/** Gives all of it back to the system. libtcc must have no state: after tcc_delete. */
void tcc_memory_release(void);

#endif
