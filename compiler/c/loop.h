/* loop.h: what loop.c (cc dialect) and loop_strips.c (tcc dialect) share. */
#ifndef LATHE_LOOP_H
#define LATHE_LOOP_H

#include "loop_nest.h"

/** Is each sum of the kernel one call of the library? Where a piece is all that is summed. */
bool loop_sums_at_once(const struct writer *w, const struct nest *nest);

/** The C name of an address at the start of the strip. */
const char *loop_row(struct writer *w, const struct nest *nest, int address);

/** Declares what moves with the rows of a piece (tcc only). */
void loop_declare_rows(struct writer *w, const struct nest *nest);

/** Is it one number for the whole strip, in `<name>value` (cc only)? It is read once, before. */
bool loop_is_number(const struct writer *w, const struct nest *nest, const struct address *a);

/** The memory of a statement's tensor, or NULL. */
const struct view *loop_view(const struct nest *nest, const struct statement *statement);

/** Writes the strip as calls of the library's vector operations. (strip_pieces.c) */
void write_strips(struct writer *w, const struct nest *nest);

/** Writes the windows of a channel of a block, in the cc dialect. (loop_windows.c) */
void write_windows(struct writer *w, const struct nest *nest);

/** Writes a kernel of single numbers, in double. */
void write_scalars(struct writer *w, struct kernel *kernel);

#endif
