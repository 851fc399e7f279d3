/* writer.h: the C writer: lines, indentation, names, expressions. All C text of lathe's drivers goes
 * through it. */
#ifndef LATHE_WRITER_H
#define LATHE_WRITER_H

#include "../compile.h"
#include "../kernel/kernel.h"

enum { MAX_SYMBOLS = 512 };

/* Writes one module: the kernels of one or more plans. */
struct writer {
    struct arena *arena;
    struct text text;
    int depth; /* of indentation */
    enum dialect dialect;
    const struct target *target;
    const char *module;                 /* prefix of every symbol of the module */
    const char *prefix;                 /* of the kernels: module and entry point */
    const char *mathematics;            /* of the functions of math.h, or NULL for none */
    const struct program_plan *plan;    /* whose kernels are being written */
    const char *symbols[MAX_SYMBOLS];   /* functions of the library that the text calls */
    int symbol_count;
    struct microkernel tiles[MAX_SYMBOLS]; /* microkernels that the text calls */
    int tile_count;
    bool uses_sgemm;
    bool uses_progress;      /* some kernels run together */
    bool uses_thread_memory; /* in some of these groups each thread makes something for itself */
};

/** A line at the current depth (printf rules, no newline in it). */
void write_line(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The same with " {" behind it; what follows is one level deeper, up to write_close. */
void write_open(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void write_close(struct writer *w);

/** An empty line. */
void write_blank(struct writer *w);

/** A comment at the current depth; nothing in it can end the comment or start another. */
void write_comment(struct writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Notes that the text calls a function of the library; returns its name. */
const char *use_symbol(struct writer *w, const char *name);

struct winograd; /* kernel/winograd.h */

/** The same for a transform of Winograd's: the one for its taps and last tiles. (winograd.c) */
const char *use_winograd(struct writer *w, const char *transform, const struct winograd *g);

/** Notes that the text calls a microkernel; returns its name. */
const char *use_tile(struct writer *w, enum microkernel_kind kind, int a, int b, int lanes);

/** The address of a view's first element, as C: "call->arena + 1024". */
const char *view_address(struct writer *w, const struct view *view);

/** Declares `const real *const name = address;` (or without the first const). */
void write_pointer(struct writer *w, const char *name, const struct view *view, bool is_const);

/** Declares `real *const name`: the calling thread's slot of a kernel's scratch memory. */
void write_scratch(struct writer *w, const char *name, const struct view *scratch);

/** "i * 12", "i" for 1, NULL for 0: a term of an index. */
const char *index_term(struct writer *w, const char *variable, long stride);

/** A number as a C literal of type real, or double. */
const char *literal(struct writer *w, double value, bool is_double);

/** Writes statements that evaluate e into `const real <prefix>N` temporaries where a value is used
 * twice, and returns the C expression of its value. operand[i]: C text of operand i; index[axis]:
 * C text of the position (long), or NULL; element: of that of a random number, whose key is
 * write_random_key's. */
struct expression_names {
    const char *const *operand;
    const char *const *index;
    const char *element; /* unsigned */
    const char *prefix;  /* of temporaries */
    bool is_double;
};
const char *write_expression(struct writer *w, const struct expression *e,
                             const struct expression_names *names);

/** The C name of a random stream's key; who writes the loop declares it. */
const char *write_random_key(struct writer *w, int stream);

/** Declares `tiles` for a driver (kernel/driver.h): the convolution's tiles of this kind and of so
 * many pixels as are used. (convolution.c) */
void write_tile_table(struct writer *w, const struct convolution_kernel *c,
                      enum microkernel_kind kind, const bool *is_used);

/** MICROKERNEL_RELU and MICROKERNEL_MASK, as the epilogue has them. (convolution.c) */
int epilogue_flags(const struct convolution_kernel *c);

/** The functions of the kernels, one file a kind: `static void <prefix>_<kernel>(const void
 * *context, long begin, long end)`. write_loop also sets the kernel's units. */
void write_loop(struct writer *w, struct kernel *kernel);

/** The function of a product's `update`: `static void <prefix>_<name>(const struct <module>_call *call,
 * const real *<the product's result>, long begin, long end)`, for the elements from begin on, which
 * the result begins with. (loop.c) */
void write_update(struct writer *w, struct kernel *update);

void write_convolution(struct writer *w, struct kernel *kernel);
void write_image_convolution(struct writer *w, struct kernel *kernel);
void write_winograd_image(struct writer *w, struct kernel *kernel);
void write_halo(struct writer *w, struct kernel *kernel);
void write_weight_gradient(struct writer *w, struct kernel *kernel);
void write_winograd(struct writer *w, struct kernel *kernel);
void write_winograd_weights(struct writer *w, struct kernel *kernel);
void write_winograd_gradient(struct writer *w, struct kernel *kernel);
void write_winograd_sums(struct writer *w, struct kernel *kernel);
void write_block_sums(struct writer *w, struct kernel *kernel);
void write_matmul(struct writer *w, struct kernel *kernel);
void write_halves_sum(struct writer *w, struct kernel *kernel);
void write_pool(struct writer *w, struct kernel *kernel);
void write_copy(struct writer *w, struct kernel *kernel);
void write_naive(struct writer *w, struct kernel *kernel);

/** What the kernel does, for readers of the C text, in front of its function. */
void write_kernel_comment(struct writer *w, const struct kernel *kernel);

/** Opens a kernel's function with its comment; `struct <module>_call *call` is declared. */
void write_kernel_open(struct writer *w, const struct kernel *kernel);

/** One line that tells a reader what a kernel does: shapes and schedule. (describe.c) */
const char *describe_kernel(struct writer *w, const struct kernel *kernel);

/** The whole module: everything above, and the entry points. plans: by enum mode, NULL = absent. */
struct module_text {
    const char *c_text;
    const char *const *symbols;
};
struct module_text write_module(struct arena *arena, struct program_plan *const plans[MODE_COUNT],
                                const struct compile_options *options, const char *prefix,
                                const char *provenance);

#endif
