/* kernel.h: the kernel list, what becomes of a tensor graph: loop nests over buffers.
 *
 * A kernel computes over a number of units; each unit writes its own outputs, in a fixed order of
 * additions, so that any split of the units over threads gives the same bits. Images of a batch are
 * blocked: [rows / L][channels][height][width][L], L = lanes: a vector holds one pixel of L samples.
 * In a small batch they are row-major (plain): a vector holds L channels of a pixel. So is all else.
 * Nothing here prints C: the writer (c/) does. */
#ifndef LATHE_KERNEL_H
#define LATHE_KERNEL_H

#include "../tensor/graph.h"
#include "../tensor/part.h"
#include "microkernel.h"
#include "target.h"

enum storage {
    STORAGE_ARENA,       /* the call's workspace */
    STORAGE_SPACE,       /* index = enum space */
    STORAGE_INPUT,       /* index = number of the input */
    STORAGE_PREPARED,    /* made from the weights once, for all calls */
    STORAGE_PREDICTIONS, /* the caller's */
    STORAGE_SCALAR,      /* index = enum scalar: a double of the call */
    STORAGE_RESULT       /* index = number of the result: a double of the call */
};

/* Memory of one or more tensors (views of it). */
struct buffer {
    enum storage storage;
    int index;       /* SPACE, INPUT, SCALAR, RESULT */
    bool is_double;  /* rank-0 values are kept in double */
    long elements;   /* ARENA */
    long offset;     /* ARENA: in bytes, set by the memory plan; PREPARED: in elements */
    int first, last; /* ARENA: kernels that first write and last touch it */
    struct buffer *merged; /* shares the memory of this one (in-place update), or NULL */
    bool by_block; /* ARENA: all views of it are blocked, and each block of samples has its part in
                      the block's own piece of the arena, plan->block_bytes from the one before */
    bool by_thread; /* ARENA: of a kernel that is by thread; the offset is in each thread's piece */
    const char *name;
};

enum layout { LAYOUT_PLAIN, LAYOUT_BLOCKED };

/* A tensor in memory. Blocked: dimensions are block, channel, row, column, lane; plain: the axes. */
struct view {
    struct buffer *buffer;
    long offset; /* in elements, or in doubles for is_double */
    enum layout layout;
    struct shape shape;
    int rank;                  /* of the strides: 5 when blocked */
    long stride[MAX_RANK]; /* in elements; 0 along an axis of size 1. Blocked: stride[0] is known
                              once the memory is planned */
};

enum kernel_kind {
    KERNEL_LOOP,            /* elementwise statements and reductions over one domain */
    KERNEL_CONVOLUTION,     /* of images: forward, and where they are blocked backward-data */
    KERNEL_HALO,            /* rows of a plain image with the zeros that pad them */
    KERNEL_WEIGHT_GRADIENT, /* contraction of two blocked images */
    KERNEL_MATMUL,          /* plain products */
    KERNEL_HALVES_SUM,      /* a product from those of both halves of its depth */
    KERNEL_NAIVE,           /* any other contraction */
    KERNEL_MAX_POOL,
    KERNEL_MAX_POOL_GRADIENT,
    KERNEL_WINOGRAD_WEIGHTS, /* a convolution's weights at Winograd's points */
    KERNEL_WINOGRAD_SUMS,   /* the weights' gradient from its parts */
    KERNEL_BLOCK_SUMS,      /* sums over the samples from those of the sample blocks */
    KERNEL_COPY             /* up to five strided loops: changes of layout, packing, pieces */
};

/* One line of a loop kernel: the value of a tensor, of which others in the kernel may read. */
enum statement_kind { STATEMENT_VALUE, STATEMENT_SUM, STATEMENT_MAXIMUM };
struct loop_operand {
    int statement;               /* reads this statement's value, if >= 0, */
    const struct tensor *tensor; /* else this tensor's memory */
};
/* What a value does with a window of the image operand 0: WINDOW_NONE, it is an expression. */
enum window_operation {
    WINDOW_NONE,
    WINDOW_MAXIMUM, /* its maximum */
    WINDOW_GATHER,  /* operand 1 where the first maximum is */
    WINDOW_GRADIENT /* operand 1, a pixel of the small image, at the first maximum, else 0 */
};
struct statement {
    enum statement_kind kind;
    enum window_operation window; /* of a VALUE */
    bool is_pooled; /* once for each window: over the small image of the kernel's pooling */
    struct tensor *tensor;
    const struct expression *expression; /* SUM, MAXIMUM: of operand 0 */
    struct loop_operand *operands;
    int operand_count;
    bool is_stored;
    const struct view *block_sums; /* of a SUM: [block][channel], for BLOCK_SUMS to add; or NULL */
};
/* Windows side by side over a large image; each belongs to one pixel of a small one. */
struct pooling {
    struct window window;
    struct shape large, small;
};
struct loop_kernel {
    struct shape domain;
    const struct pooling *pooling; /* the loop goes window by window over blocked images; or NULL */
    enum layout layout;
    unsigned axes; /* reduced axes of its SUM and MAXIMUM statements; 0: it has none */
    const struct tensor *first; /* with which the calculation begins: the first statement's, before
                                   others took some in */
    struct statement *statements;
    int statement_count, statement_capacity;
    struct view *update_rows; /* of a product's `update`: the scratch it reads; or NULL */
};

/* What a contraction does to its sums before it stores them. */
struct epilogue {
    const struct tensor *bias; /* one number an output channel, or NULL */
    bool relu;
    const struct tensor *mask; /* the result is 0 where this is not positive, or NULL */
};

/* A class of positions along one axis of an output that have the same taps. */
struct axis_class {
    long start, count, step; /* positions start, start + step, ... */
    long in_step;            /* how far the input moves with each position */
    int tap_count;
    long *tap, *in_start;    /* kernel index, input position of the first position */
    /* Where the taps read positions in_step apart: the distance of the kernel index from one tap to
     * that which reads the next position, and the tap that reads the lowest; else run is 0. */
    long run;
    int lowest;
};

struct winograd; /* winograd.h */

/* How a convolution of plain images is computed: tiles of pixels x vectors of output channels. */
struct image_tiles {
    int lanes, vectors;       /* of a tile of `tile_pixels` pixels */
    bool by_channel;          /* each output channel reads one input channel: no products of both */
    bool is_row_dense;        /* a kernel row's weights and pixels are one stretch of numbers */
    long before, after;       /* columns of zeros beside the image */
    const struct view *halo;  /* the image with these zeros, or NULL where there are none */
    long panel;               /* channels of a tile in the packed weights, which lie
                                 [channel tile][tap][input channel][panel]; 0: they are not packed */
};

/* Output channel o of group g sums over the group's input channels and the taps. */
struct convolution_kernel {
    bool is_backward; /* backward-data: the output is the convolution's input */
    struct window window;
    long groups, in_channels, out_channels; /* of one group */
    long in_size[2], out_size[2];
    long kernel_size[2];
    struct axis_class *rows, *columns;
    int row_count, column_count;
    int tile_channels, tile_pixels;
    bool by_rows;             /* one channel of each: tiles take a kernel row at once (row_tile) */
    long outside;             /* of row tiles: the edges of the image that they go to, leaving out the
                                 taps beyond (MICROKERNEL_LEFT ...); 0: the edges have other tiles */
    long blocks_at_once;      /* above 1: a tile's pixels are the same one of so many sample blocks */
    long channel_block;       /* input channels whose pixels stay in the L1 cache */
    bool prefetches;          /* the rows of the image that come next are asked for ahead */
    const struct tensor *image;   /* what it reads */
    const struct tensor *weights; /* NULL: ones (window sums) */
    long w_group, w_out, w_in, w_tap[2]; /* distances in the weights */
    const struct view *packed; /* [group][channel block][output tile][channel][tap][tile's channels];
                                  of plain images see `plain` */
    struct epilogue epilogue;
    const struct winograd *winograd; /* NULL: direct sums over the taps */
    const struct image_tiles *plain; /* NULL: the images are blocked */
};

struct weight_gradient_kernel {
    long groups, in_channels, out_channels; /* of one group */
    long in_size[2], out_size[2];
    struct window window;
    /* Of few input channels, the taps of a kernel row take the place of input channels, a tile for
     * each: `ins` is how many there are of either. The output columns that all of them reach, from
     * full_begin on, are summed at once, those at the border tap by tap. */
    bool joins_columns;
    long ins, full_begin, full_end;
    /* One channel of each: tiles read each pixel once for a kernel row (gradient_row_tile), of rows
     * with this border. Of rows that all of the kernel reaches, they take all kernel rows at once. */
    bool by_rows, takes_kernel;
    long border;
    int tile_out, tile_in;
    long tiles_out, tiles_in; /* tiles of one unit: each pixel it reads serves all of them */
    long taps_at_once; /* taps of one unit */
    long rows_at_once; /* rows of pixels that stay in the L1 cache */
    /* The rows of a call are the same row of several blocks of samples, not rows of one image, which
     * is so small that calls cost more than what they do. */
    bool across_blocks;
    bool prefetches;   /* the next piece of rows is asked for ahead */
    long block_parts;  /* parts of the sample blocks, each with sums of its own; for units of threads */
    const struct tensor *image, *gradient; /* the convolution's input; the gradient of its output */
    long w_group, w_out, w_in, w_tap[2];   /* distances in the result */
    const struct winograd *winograd; /* NULL: direct sums over the taps */
};

/* c[r][q] = sum over depth of a[r][k] * b[k][q] */
struct matmul_kernel {
    long rows, columns, depth;
    const struct tensor *a, *b;
    long a_row, a_depth;           /* distances in a */
    long b_depth, b_column;        /* in b; b_column is 1 once b is transposed */
    long c_row;
    /* b with its columns together, where they are not: the whole of it, or scratch for those of one
     * column tile; else both are NULL. */
    const struct view *transposed, *panel;
    /* Rows in panels of at most so many, for what is done with them at once; 0: there are none. */
    long panel_rows;
    const struct view *row_panel; /* scratch: rows of a, which lie across in a, side by side; or NULL */
    /* The optimizer's step of the weights whose gradient c is: a loop over their elements, which runs
     * for each panel when its rows of c are there. They are scratch then: c is not kept. Or NULL. */
    struct kernel *update;
    /* Columns behind the last whole vector that would fill little of one more; or all of them. They are summed along
     * the depth, from columns of b that lie in one piece, or (tail_columns is NULL) in vectors of
     * rows, in units of their own behind the others. */
    long tail;
    const struct view *tail_columns;
    long tail_vectors; /* vectors of rows of a unit at most */
    long tail_unit;    /* the first of those units, unless panels have tails of their own */
    int lanes, tile_rows, tile_vectors;
    long depth_block;          /* rows of b at a time: those of a tile stay in a cache */
    bool by_columns;           /* units are column tiles, else row tiles */
    bool prefetches;           /* asks ahead for what the next column tile reads of b; with an
                                  update, for the weights and slots of the next panel */
    bool use_generic;          /* call the runtime's sgemm */
    /* Units are of one half of the depth or the other (depth is that of a half), and the result is
     * [half][row][column]: HALVES_SUM adds both up, and has the product's epilogue (halves.c). */
    bool in_halves;
    struct epilogue sum_epilogue;
    struct epilogue epilogue;
};

struct pool_kernel {
    struct window window;
    long in_size[2], out_size[2], channels;
    const struct tensor *x, *y, *gradient; /* y, gradient: of the gradient kernel */
    bool mask; /* gradient: also zero where y is not positive (a relu before the pool) */
};

struct copy_part {
    long size[5], to_stride[5], from_stride[5]; /* outermost first */
    long to_offset, from_offset;                /* from the start of the views */
};
struct copy_kernel {
    const struct tensor *from;    /* what it reads, */
    const struct view *from_view; /* or memory without a tensor; neither: it writes zeros */
    struct copy_part *parts; /* one after the other; the outermost loop is the parallel one */
    int part_count;
};

struct naive_kernel {
    const struct contract *contract;
    const struct tensor *a, *b;
};

/* to[i] = the sum of from[block][i] over the blocks, of each pair */
struct block_sums_kernel {
    const struct kernel *owner; /* whose sums they are */
    struct block_sum {
        const struct view *to, *from;
    } *sums;
    int count;
};

struct kernel {
    enum kernel_kind kind;
    int number;
    const char *name;    /* unique in the module: "conv2d_1_forward" */
    const char *comment; /* one line for readers of the C: shapes and schedule */
    struct tensor *tensor; /* what it computes (LOOP: the first statement's) */
    const struct view *out; /* LOOP, BLOCK_SUMS: NULL, they have several */
    long units;
    bool is_prepared; /* belongs to the entry point that prepares the weights */
    bool by_block; /* unit u touches only sample block u of each blocked or row-blocked tensor */
    bool by_thread; /* first in a group: each thread does all units, before its first block */
    int together;   /* kernels from this one on that run block by block; 0: inside of such a group */
    union {
        struct loop_kernel loop;
        struct convolution_kernel convolution;
        struct weight_gradient_kernel weight_gradient;
        struct matmul_kernel matmul;
        struct pool_kernel pool;
        struct copy_kernel copy;
        struct naive_kernel naive;
        struct block_sums_kernel block_sums;
        const struct kernel *owner; /* HALO, WINOGRAD_WEIGHTS, WINOGRAD_SUMS, HALVES_SUM: whom they
                                       serve */
    };
};

/* Everything the writer needs for one entry point. */
struct program_plan {
    struct arena *arena;
    const struct graph *graph;
    const struct target *target;
    int lanes;  /* of blocked tensors: <= target->lanes */
    long rows;  /* batch rows in memory */
    bool plain_images; /* a small batch: images are row-major */
    bool prepares;     /* what depends on weights alone is made by an entry point of its own */
    long prepared_elements;
    bool *batched;        /* by tensor number: axis 0 is the batch */
    const bool *fixed;    /* by tensor number: weights alone decide it */
    bool *is_cut;         /* by tensor number: a slice of a blocked image that stays in its memory */
    enum layout *layouts; /* by tensor number */
    struct view **views;  /* by tensor number; NULL: not in memory */
    struct kernel **kernels;
    int kernel_count, kernel_capacity;
    const char **names; /* of all kernels there ever were: a hash table with open addressing */
    int name_count, name_size; /* the size is a power of 2, or 0 */
    struct buffer **buffers;
    int buffer_count, buffer_capacity;
    bool generic_products;
    bool use_double;
    bool no_winograd;
    long arena_bytes, arena_lower_bound;
    bool is_serial;         /* no loop is ever shared between threads */
    bool weights_are_far;   /* with the optimizer's slots, more than a core finds in the L3 cache */
    bool has_shares;        /* calls tell a thread's share of a loop (program_range_start) */
    long block_bytes;       /* of each block's piece of the arena; 0: there are none */
    long thread_bytes;      /* of each thread's piece, of which there are as many as blocks; 0: none */
    long thread_offset;     /* of the first one, in the arena */
    struct buffer *scratch; /* slots for the units of all kernels that need some; NULL: no kernel */
};

/** True if the tensor is an image of a batch and so blocked by samples. */
bool plan_is_blocked(const struct program_plan *plan, const struct tensor *tensor);

/** True if so many channels of a block of samples do not fit half of the L2 cache: what reads them
 * asks for them ahead. */
bool plan_image_is_far(const struct program_plan *plan, long channels, const long size[2]);

/** True if what is made of a tensor can be kept between calls: weights alone decide it, and the
 * program prepares. */
bool plan_is_prepared(const struct program_plan *plan, const struct tensor *tensor);

/** The dimension of a blocked view that an axis of its image is; the batch: that of the blocks. */
static inline int blocked_dimension(int axis) {
    static const int dimensions[4] = {0, 2, 3, 1};
    return dimensions[axis];
}

/** The strides of a tensor of this shape in its layout, at offset 0 of a buffer. */
struct view *view_new(struct program_plan *plan, struct buffer *buffer, long offset,
                      const struct shape *shape, enum layout layout);

/** True if two views share elements of memory that is not the arena's. */
bool views_overlap(const struct view *a, const struct view *b);

/** A new arena buffer. */
struct buffer *buffer_new(struct program_plan *plan, const char *name, long elements,
                          bool is_double);

/** Memory for each unit of a kernel while it runs: a slot of `reals` for each. All kernels share
 * one buffer, so that a thread finds its slot in its cache. stride[0], the distance of the slots,
 * is known once the memory is planned. A serial plan has one slot. */
const struct view *scratch_new(struct program_plan *plan, const struct kernel *kernel, long reals);

/** Appends an empty kernel; its name is made unique. */
struct kernel *kernel_new(struct program_plan *plan, enum kernel_kind kind, const char *name,
                          struct tensor *tensor);

/** True if two tiles of a product compute some columns both: the last vector reaches back. */
bool matmul_tiles_overlap(const struct matmul_kernel *matmul);

/** Lets a loop over blocked images, if it suits, sum by block of samples, and returns the new kernel
 * that adds the blocks up; the same for a scheduled weight gradient of several parts. Else NULL
 * (block_sums.c). */
struct kernel *block_sums_kernel(struct program_plan *plan, struct kernel *kernel);

/** Lets a product sum the halves of its depth apart, if that suits (halves.c). */
void product_take_halves(const struct program_plan *plan, struct matmul_kernel *matmul);

/** The kernel that adds the halves of a scheduled product up, which writes them to a buffer of their
 * own from here on; NULL if it has none. */
struct kernel *halves_sum_kernel(struct program_plan *plan, struct kernel *kernel);

/** Columns of the result that a unit of a HALVES_SUM owns. */
long halves_sum_columns(const struct matmul_kernel *matmul);

/** Pixels of an image that a tile of a direct convolution holds at most. */
int tile_image_pixels(const struct convolution_kernel *convolution);

/** The tiles of a product's tail in vectors of so many rows. */
struct split matmul_tail_tiles(const struct matmul_kernel *matmul, long rows);

/** Calls visit for each view a kernel touches; is_write tells which. */
void kernel_visit_views(const struct program_plan *plan, const struct kernel *kernel,
                        void (*visit)(void *context, const struct view *view, bool is_write),
                        void *context);

/** The part of its layer's contractions that a kernel computes, or packs the weights of, or finishes;
 * `backward` is that of the graph (tensor/part.h). */
enum part kernel_part(const struct program_plan *plan, const struct kernel *kernel,
                      const bool *backward);

/** The layer that a kernel works for, or NULL: loss, optimizer. */
const char *kernel_layer(const struct program_plan *plan, const struct kernel *kernel);

/** About how many nanoseconds a kernel takes on one core (work.c): to decide whether threads share it,
 * and to share out a time among several. */
double kernel_work(const struct program_plan *plan, const struct kernel *kernel);

/** The units of a loop over this kernel and those that run together with it. */
long kernel_loop_units(const struct program_plan *plan, const struct kernel *kernel);

/** True if the units, of all kernels that run together with this one, go to the threads of the call's
 * `parallel`; else the entry point runs them all
 * itself: there is one, or other threads would cost more time than they save (work.c). */
bool kernel_is_shared(const struct program_plan *plan, const struct kernel *kernel);

/** Appends the kernels, one a line, for --dump. */
void plan_print(struct text *text, const struct program_plan *plan);

/** Recognizes what kind of kernel computes a contraction, from its accesses and layouts, and fills
 * the kernel's part but for the schedule (match.c). The kind is KERNEL_NAIVE if it is nothing
 * better. */
void match_contract(const struct program_plan *plan, const struct tensor *tensor,
                    struct kernel *kernel);

/** Positions along one axis of an output, in classes of equal taps (axis_class.c). Forward:
 * in = out * stride + tap * dilation - pad; backward: the inverse, over positions of the input. */
struct axis_class *axis_classes(struct arena *arena, bool is_backward, long out_size, long in_size,
                                long kernel_size, long stride, long dilation, long pad,
                                int *count);

enum { LINE = 16 }; /* reals of a cache line */

/** n items in parts of at most `most`, as even as possible: `big` parts of size `size` + 1 first,
 * then `small` parts of `size`. */
struct split {
    long size, big, small;
};
struct split split_evenly(long n, long most);

/** Chooses tiles, blocks and units of a contraction or pool kernel (schedule.c). */
void schedule_kernel(struct program_plan *plan, struct kernel *kernel);

/** Lets a scheduled product take in the loop that alone reads its result, element by element: `update`.
 * False if its tiles do not allow that (schedule.c). */
bool schedule_update(struct program_plan *plan, struct kernel *kernel, struct kernel *update);

/** Chooses the register tile of a convolution whose pixels come in rows of this length, and the
 * channels whose pixels stay in the L1 cache when each tile reads `rows` x `columns` pixels more than
 * one (schedule.c). */
void schedule_convolution_tile(const struct program_plan *plan, struct convolution_kernel *c,
                               long length, const long kernel_size[2]);

/** The tiles for n numbers, of at most so many each; of one size where the target asks for that
 * (schedule.c). */
struct split schedule_split(const struct target *target, long n, long most);

/** True if the library has the register tiles of both sizes of both splits (schedule.c). */
bool schedule_tiles_exist(const struct program_plan *plan, enum microkernel_kind kind,
                          struct split a, struct split b, int lanes);

/** Chooses tiles, pieces of rows and units of a weight gradient by direct sums
 * (schedule_gradient.c). */
void schedule_weight_gradient(struct program_plan *plan, struct kernel *kernel);

/** Passes over the pixels for one tile: the taps, or with joined columns the kernel's rows
 * (schedule_gradient.c). */
long weight_gradient_taps(const struct weight_gradient_kernel *w);

/** Chooses tiles of a convolution of plain images: c->plain (schedule_image.c). */
void schedule_image(struct program_plan *plan, struct kernel *kernel);

/** Chooses the tile of rows of so many pixels, and `depth` products for each number; returns its
 * cycles for one row (schedule_image.c). */
double schedule_pixel_tile(const struct program_plan *plan, struct convolution_kernel *c,
                           struct image_tiles *tiles, long pixels, long depth);

/** A new kernel: the rows of a convolution's image with zeros beside them (schedule_image.c). */
struct kernel *halo_kernel(struct program_plan *plan, const struct kernel *kernel);

/** Fills the parts of a copy that packs a convolution's weights in the order its tiles read them:
 * [group][channel block][output tile][channel][tap][channel of the tile] (schedule.c). */
void schedule_packing(struct program_plan *plan, const struct convolution_kernel *convolution,
                      struct copy_kernel *copy);
/** The same for plain images (schedule_image.c). */
void schedule_panels(struct program_plan *plan, const struct convolution_kernel *convolution,
                     struct copy_kernel *copy);

/** Where the packed weights of a channel block and an output channel begin, within a group. */
long packed_offset(const struct convolution_kernel *convolution, long block_start,
                   long block_channels, long out_channel);

#endif
