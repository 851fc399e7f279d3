/* loop_nest.h: the loops of a loop kernel: which run outside, which inside, and where each operand
 * is in memory. */
#ifndef LATHE_LOOP_NEST_H
#define LATHE_LOOP_NEST_H

#include "writer.h"

enum { NEST_RANK = 6 };

/** Elements of a piece of a strip in the tcc dialect. */
enum { LOOP_PIECE = 1024 };

/* Something that moves with the loops: an operand, a result, a position. */
struct address {
    const struct view *view; /* NULL: a position */
    const char *name;        /* in the C text */
    long stride[NEST_RANK];
    long row_stride; /* a position in a strip of rows: how far it moves from row to row */
    bool is_written;
};

struct nest {
    const struct kernel *kernel;
    struct view *const *plan_views; /* by tensor number */
    int rank;
    long extent[NEST_RANK];
    bool is_reduced[NEST_RANK];
    struct address *addresses;
    int address_count;
    /* of the domain; [true]: of the pooled one */
    int index_address[2][MAX_RANK]; /* of INDEX by axis; -1: not used */
    int element_address[2];         /* of RANDOM; -1: not used */
    /* The order: kept loops outside, then reduced ones, then the rows, then the strip: the
     * innermost loop. */
    int kept[NEST_RANK], kept_count;
    int reduced[NEST_RANK], reduced_count;
    int rows;   /* a piece is as many whole strips of this loop as fit into it; -1: one strip */
    int strip;  /* -1: there is no loop at all */
    long row;   /* what a piece is made of: rows of this length; to positions alone, where `rows` is
                   -1. 0: it is not */
    long chunk; /* the strip runs in pieces of this length: a loop outside the reduced ones */
};

/** Plans the loops; fills every address. */
void nest_plan(struct nest *nest, struct writer *w, struct kernel *kernel);

/** The address of a tensor's memory in the nest, or -1. */
int nest_find(const struct nest *nest, const struct view *view);

/** How an operand lies in the rows of a piece: whole rows, one after the other, the same row for
 * all, one number for each, or a single number. ROWS_NONE: in no such way. */
enum rows_form { ROWS_WHOLE, ROWS_SAME, ROWS_NUMBER_EACH, ROWS_NUMBER, ROWS_NONE };
enum rows_form nest_rows_form(const struct nest *nest, const struct address *address);

/** Does each row of a piece have a sum of its own? */
bool nest_sums_rows(const struct nest *nest);

/** Is the strip a range that the caller gives, elements begin to end? That of a product's update. */
bool nest_is_range(const struct nest *nest);

/** Does the strip run from `first` to `last`, a chunk or the range that the caller gives? Else from 0
 * to its extent. */
bool nest_is_chunked(const struct nest *nest);

/** Units of the kernel: the extent of the outermost kept loop, or the number of chunks. */
long nest_units(const struct nest *nest);

#endif
