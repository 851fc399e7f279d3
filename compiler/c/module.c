/* module.c: a whole C module: banner, what the kernels need, the kernels, the entry points. */
#include "../kernel/driver.h"
#include "writer.h"

#include <stdio.h>
#include <string.h>

static const char *const entry_names[MODE_COUNT] = {"train", "evaluate", "predict", "gradient",
                                                    "update"};

/* ---- what stands before the kernels ---- */

static void write_progress(struct writer *w) {
    write_blank(w);
    write_comment(w, "Tells that a kernel of several begins, or that the last one has ended.");
    write_open(w,
               "static const struct %s_call *%s_progress(const struct %s_call *call, long kernel)",
               w->module, w->module, w->module);
    write_line(w, "if (call->progress) call->progress(call->pool, kernel);");
    write_line(w, "return call;");
    write_close(w);
}

static void write_own_call(struct writer *w) {
    write_blank(w);
    write_comment(w, "A copy of the call that knows the thread's piece of the arena.");
    write_open(w,
               "static const struct %s_call *%s_own(struct %s_call *own, const void *context, long "
               "begin, long first, long size)",
               w->module, w->module, w->module);
    write_line(w, "*own = *(const struct %s_call *)context;", w->module);
    write_line(w, "const long share = own->range_start ? own->range_start(own->pool) : begin;");
    write_line(w, "own->thread_memory = own->arena + first + share * size;");
    write_line(w, "return own;");
    write_close(w);
}

static void write_call_struct(struct writer *w, bool has_shares) {
    write_blank(w);
    write_comment(w, "A range of units of a kernel, and how to run all of them.");
    write_line(w, "typedef void %s_task(const void *context, long begin, long end);", w->module);
    write_blank(w);
    write_comment(w, "One call of an entry point. All tensors are row-major.");
    write_open(w, "struct %s_call", w->module);
    write_line(w, "real *space[%d];          /* weights, state, optimizer */", SPACE_COUNT);
    write_line(w, "real *arena;             /* workspace, aligned to 64 bytes */");
    write_line(w, "real *prepared;          /* from the weights, by the entry point for it */");
    write_line(w, "const real *inputs[2];   /* samples, labels */");
    write_line(w, "real *predictions;");
    write_line(w, "double scalars[%d];       /* learning rate, step, valid samples, seed */",
               SCALAR_COUNT);
    write_line(w, "double results[2];       /* loss, accuracy */");
    write_line(w, "void (*parallel)(void *pool, %s_task *task, const void *context, long count);",
               w->module);
    write_line(w, "void *pool;");
    if (has_shares) {
        write_line(w, "long (*range_start)(void *pool);");
        write_line(w, "_Bool (*begins)(void *pool);");
        write_line(w, "void (*progress)(void *pool, long kernel);");
        write_line(w, "real *thread_memory;");
    }
    w->depth--;
    write_line(w, "};");
    if (w->uses_progress) write_progress(w);
    if (w->uses_thread_memory) write_own_call(w);
}

/* Prototypes of the library's functions, for libtcc, which sees no headers. */
static const char *const prototypes[][2] = {
    {"strided_copy", "void strided_copy(real *to, const real *from, const long *size, const long "
                     "*to_stride, const long *from_stride);"},
    {"gradient_store", "void gradient_store(real *to, const real *sums, long outs, long ins, long "
                       "to_out, long to_in);"},
    {"sum_blocks", "void sum_blocks(real *to, const real *from, long blocks, long count);"},
    {"sum_halves", "void sum_halves(real *to, const real *from, const real *bias, long rows, long "
                   "count, long columns, long relu);"},
    {"max_pool_plane",
     "void max_pool_plane(const real *x, real *y, long height, long width, long out_height, long "
     "out_width, long kernel_height, long kernel_width, long stride_y, long stride_x, long pad_y, "
     "long pad_x);"},
    {"max_pool_gradient_plane",
     "void max_pool_gradient_plane(const real *x, const real *y, const real *dy, real *dx, long "
     "height, long width, long out_height, long out_width, long kernel_height, long kernel_width, "
     "long stride_y, long stride_x, long pad_y, long pad_x, long mask);"},
    {"window_maximum", "void window_maximum(real *y, const real *x, long rows, long width, long "
                       "windows, long kernel_width, long pad);"},
    {"window_gather", "void window_gather(real *to, const real *x, const real *v, long rows, long "
                      "width, long windows, long kernel_width, long pad);"},
    {"window_gradient", "void window_gradient(real *dx, const real *x, const real *dy, long rows, "
                        "long width, long windows, long kernel_width, long pad);"},
    {"window_sum", "void window_sum(real *sum, const real *a, long rows, long width, long windows, "
                   "long kernel_width, long pad);"},
    {"max_pool_row",
     "void max_pool_row(const real *x, real *y, long row, long channels, long height, "
     "long width, long out_width, long kernel_height, long kernel_width, long "
     "stride_y, long stride_x, long pad_y, long pad_x);"},
    {"window_sum_row",
     "void window_sum_row(const real *x, const real *w, const real *bias, real *y, const long "
     "*taps, long tap_count, long pixels, long channels, long x_step, long y_step, long relu);"},
    {"halo_rows", "void halo_rows(real *to, const real *from, long rows, long before, long length, "
                  "long after);"},
    {"prefetch_planes", "void prefetch_planes(const real *x, long begin, long end, long step, long "
                        "plane, long rows, long row, long count);"},
    {"real_random_key", "unsigned real_random_key(unsigned seed, unsigned step, unsigned stream);"},
    {"vector_select", "void vector_select(real *to, const real *c, long c_step, const real *a, "
                      "long a_step, const real *b, long b_step, long n);"},
    {"vector_random", "void vector_random(real *to, unsigned key, unsigned first, long "
                      "element_step, long n);"},
    {"vector_index", "void vector_index(real *to, long first, long step, long n);"},
    {"vector_random_rows", "void vector_random_rows(real *to, unsigned key, unsigned first, long "
                           "element_step, long row, long row_step, long n);"},
    {"vector_index_rows", "void vector_index_rows(real *to, long first, long step, long row, long "
                          "row_step, long n);"},
    {"vector_repeat_row", "void vector_repeat_row(real *to, const real *a, long row, long n);"},
    {"vector_repeat_each", "void vector_repeat_each(real *to, const real *a, long a_step, long "
                           "row, long n);"},
    {"vector_row_sums", "void vector_row_sums(real *to, const real *a, long row, long n);"},
    {"vector_row_maxima", "void vector_row_maxima(real *to, const real *a, long row, long n);"},
    {"vector_accumulate_rows",
     "void vector_accumulate_rows(real *to, const real *a, long row, long n);"},
    {"vector_accumulate_maximum_rows",
     "void vector_accumulate_maximum_rows(real *to, const real *a, long row, long n);"},
    {"vector_accumulate", "void vector_accumulate(real *to, const real *a, long a_step, long n);"},
    {"vector_accumulate_maximum",
     "void vector_accumulate_maximum(real *to, const real *a, long a_step, long n);"},
    {"vector_sum_of", "real vector_sum_of(const real *a, long n);"},
    {"vector_maximum_of", "real vector_maximum_of(const real *a, long n);"},
    {"vector_sum_begin", "void vector_sum_begin(real *sum);"},
    {"vector_maximum_begin", "void vector_maximum_begin(real *top);"},
    {"vector_sum_end", "real vector_sum_end(const real *sum);"},
    {"vector_maximum_end", "real vector_maximum_end(const real *top);"},
    {"vector_sum_into", "void vector_sum_into(real *sum, const real *a, long n);"},
    {"vector_maximum_into", "void vector_maximum_into(real *top, const real *a, long n);"},
};

static const char sgemm_prototype[] =
    "void lathe_sgemm(long m, long n, long k, const real *a, long a_row, long a_depth, const real "
    "*b, long b_depth, long b_column, real *c, long c_row, long accumulate);";

static bool is_binary_operation(const char *name) {
    static const char *const names[] = {"add",     "subtract", "multiply", "divide",     "maximum",
                                        "minimum", "power",    "less",     "less_equal", "equal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name + strlen("vector_"), names[i])) return true;
    return false;
}

static void write_prototype(struct writer *w, const char *name) {
    for (size_t i = 0; i < sizeof prototypes / sizeof *prototypes; i++)
        if (!strcmp(prototypes[i][0], name)) {
            write_line(w, "%s", prototypes[i][1]);
            return;
        }
    if (microkernel_print_winograd_prototype(&w->text, name)) return;
    if (microkernel_print_chain_prototype(&w->text, name)) return;
    if (!strncmp(name, "vector_", 7))
        write_line(w, "void %s(real *to, const real *a, long a_step,%s long n);", name,
                   is_binary_operation(name) ? " const real *b, long b_step," : "");
    else if (!strncmp(name, "lane_sum_", 9))
        write_line(w, "real %s(const real *x);", name);
}

static bool has_symbol(const struct writer *w, const char *name) {
    for (int i = 0; i < w->symbol_count; i++)
        if (!strcmp(w->symbols[i], name)) return true;
    return false;
}

/* The types of the tiles, and those that a driver's type names, are printed once each. */
static void write_tiles(struct writer *w) {
    unsigned kinds = has_symbol(w, "convolution_drive") ? 1u << MICROKERNEL_ROW : 0;
    for (int i = 0; i < w->tile_count; i++) kinds |= 1u << w->tiles[i].kind;
    for (int kind = 0; kinds >> kind; kind++)
        if (kinds >> kind & 1) microkernel_print_type(&w->text, (enum microkernel_kind)kind);
    for (int i = 0; i < w->tile_count; i++) microkernel_print_prototype(&w->text, &w->tiles[i]);
}

static void write_drivers(struct writer *w) {
    static const char *const drivers[][3] = {
        {"convolution_drive", DRIVER_TEXT(CONVOLUTION_DRIVER), DRIVER_TEXT(CONVOLUTION_DRIVE)},
        {"winograd_drive", DRIVER_TEXT(WINOGRAD_DRIVER), DRIVER_TEXT(WINOGRAD_DRIVE)},
    };
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (has_symbol(w, drivers[i][0])) write_line(w, "%s;\n%s;", drivers[i][1], drivers[i][2]);
}

static void write_tcc_prelude(struct writer *w) {
    static const char *const unary[] = {"exp", "log", "sqrt", "tanh", "erf", "sin", "cos", "floor"};
    write_line(w, "typedef float real;");
    write_line(w, "typedef unsigned long size_t;");
    write_line(w, "#define LATHE_LARGEST 3.4028234663852886e38f");
    write_line(w, "#define HUGE_VAL (1e300 * 1e300)");
    write_line(w, "#define LATHE_INDEPENDENT");
    for (size_t i = 0; i < sizeof unary / sizeof *unary; i++)
        write_line(w, "double %s(double);", unary[i]);
    write_line(w, "double pow(double, double);");
    write_line(w, "void *memset(void *, int, size_t);");
    for (int i = 0; i < w->symbol_count; i++) write_prototype(w, w->symbols[i]);
    write_tiles(w);
    write_drivers(w);
    if (w->uses_sgemm) write_line(w, "%s", sgemm_prototype);
}

static void write_cc_prelude(struct writer *w) {
    bool has_own = w->mathematics != NULL;
    microkernel_prelude(&w->text, w->target);
    if (!has_own) write_line(w, "#include <math.h>");
    write_line(w, "#include <stddef.h>");
    write_line(w, "#include <string.h>");
    write_line(w, "#define LATHE_LARGEST ((real)3.4028234663852886e38)");
    write_blank(w);
    if (has_own)
        microkernel_print_helpers_without_libm(&w->text, w->target, "LATHE_INLINE");
    else
        microkernel_print_helpers(&w->text, w->target, "LATHE_INLINE");
    microkernel_print_image(&w->text, w->target->lanes, "LATHE_FUNCTION");
    microkernel_print_pool(&w->text, w->plan ? w->plan->lanes : w->target->lanes, "LATHE_FUNCTION");
    for (int i = 0; i < w->symbol_count; i++)
        microkernel_print_winograd(&w->text, w->symbols[i], w->plan->lanes, "LATHE_FUNCTION");
    for (int i = 0; i < w->tile_count; i++)
        microkernel_print(&w->text, &w->tiles[i], w->target, "LATHE_FUNCTION");
    if (w->uses_sgemm) write_line(w, "%s", sgemm_prototype);
}

/* ---- kernels and entry points ---- */

static void write_kernel(struct writer *w, struct kernel *kernel) {
    switch (kernel->kind) {
    case KERNEL_LOOP: write_loop(w, kernel); break;
    case KERNEL_CONVOLUTION:
        if (kernel->convolution.plain && kernel->convolution.winograd)
            write_winograd_image(w, kernel);
        else if (kernel->convolution.plain)
            write_image_convolution(w, kernel);
        else if (kernel->convolution.winograd)
            write_winograd(w, kernel);
        else
            write_convolution(w, kernel);
        break;
    case KERNEL_WEIGHT_GRADIENT:
        if (kernel->weight_gradient.winograd)
            write_winograd_gradient(w, kernel);
        else
            write_weight_gradient(w, kernel);
        break;
    case KERNEL_HALO: write_halo(w, kernel); break;
    case KERNEL_WINOGRAD_WEIGHTS: write_winograd_weights(w, kernel); break;
    case KERNEL_WINOGRAD_SUMS: write_winograd_sums(w, kernel); break;
    case KERNEL_BLOCK_SUMS: write_block_sums(w, kernel); break;
    case KERNEL_MATMUL: write_matmul(w, kernel); break;
    case KERNEL_HALVES_SUM: write_halves_sum(w, kernel); break;
    case KERNEL_MAX_POOL:
    case KERNEL_MAX_POOL_GRADIENT: write_pool(w, kernel); break;
    case KERNEL_COPY: write_copy(w, kernel); break;
    case KERNEL_NAIVE: write_naive(w, kernel); break;
    }
}

/* The function of a kernel: its text in the module, and the prefix of its name. */
struct kernel_function {
    size_t begin, end;
    const char *prefix;
};

/* True if the texts are equal but for their prefixes. */
static bool same_function(const char *text, const struct kernel_function *a,
                          const struct kernel_function *b) {
    const char *at = text + a->begin, *bt = text + b->begin;
    const char *const a_end = text + a->end, *const b_end = text + b->end;
    size_t a_length = strlen(a->prefix), b_length = strlen(b->prefix);
    while (at < a_end && bt < b_end) {
        if (!strncmp(at, a->prefix, a_length) && !strncmp(bt, b->prefix, b_length))
            at += a_length, bt += b_length;
        else if (*at++ != *bt++)
            return false;
    }
    return at == a_end && bt == b_end;
}

/* Appends the functions of the plan's kernels behind those that are there. What another entry point
 * does in the same memory has a function already: evaluations and predictions share most. */
static int write_functions(struct writer *w, struct kernel_function *functions, int count) {
    const int first = count;
    for (int i = 0; i < w->plan->kernel_count; i++) {
        struct kernel_function *own = &functions[count++];
        *own = (struct kernel_function){w->text.length, 0, w->prefix};
        write_kernel(w, w->plan->kernels[i]);
        own->end = w->text.length;
        for (int k = 0; k < first; k++) {
            if (!same_function(text_string(&w->text), own, &functions[k])) continue;
            w->text.length = own->begin;
            *own = functions[k];
            break;
        }
    }
    return count;
}

/* What each thread makes for itself, in its piece of the arena. Returns how many kernels that are.
 */
static int write_by_thread(struct writer *w, const struct program_plan *plan, int first,
                           const struct kernel_function *functions) {
    struct kernel *const *kernels = plan->kernels + first;
    const long size = plan->use_double ? 8 : 4;
    if (!kernels[0]->by_thread) {
        write_line(w, "const struct %s_call *const call = context;", w->module);
        return 0;
    }
    w->uses_thread_memory = true;
    write_line(w, "struct %s_call own;", w->module);
    write_line(w, "const struct %s_call *const call = %s_own(&own, context, begin, %ld, %ld);",
               w->module, w->module, plan->thread_offset / size, plan->thread_bytes / size);
    write_open(w, "if (!call->begins || call->begins(call->pool))");
    int i = 0;
    for (; kernels[i]->by_thread; i++)
        write_line(w, "%s_%s(%s_progress(call, %d), 0, %ld);", functions[first + i].prefix,
                   kernels[i]->name, w->module, i, kernels[i]->units);
    write_close(w);
    return i;
}

/* Kernels that run together, block by block: their function. */
static const char *write_group(struct writer *w, const struct program_plan *plan, int first,
                               const struct kernel_function *functions) {
    struct kernel *const *kernels = plan->kernels + first;
    int count = kernels[0]->together;
    w->uses_progress = true;
    const char *name = arena_format(w->arena, "%s_%s_to_%s", w->prefix, kernels[0]->name,
                                    kernels[count - 1]->name);
    write_blank(w);
    write_open(w, "static void %s(const void *context, long begin, long end)", name);
    int i = write_by_thread(w, plan, first, functions);
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    for (; i < count; i++)
        write_line(w, "%s_%s(%s_progress(call, %d), unit, unit + 1);", functions[first + i].prefix,
                   kernels[i]->name, w->module, i);
    write_line(w, "%s_progress(call, %d);", w->module, count);
    write_close(w);
    write_close(w);
    return name;
}

static const char preparation_name[] = "prepare";

/* functions: of the plan's kernels. */
static void write_entry(struct writer *w, const struct program_plan *plan,
                        const struct kernel_function *functions, const char *name, bool is_static) {
    bool is_preparation = !strcmp(name, preparation_name);
    const char **groups = ARENA_ARRAY(w->arena, const char *, plan->kernel_count);
    for (int i = 0; i < plan->kernel_count && !is_preparation; i++)
        if (plan->kernels[i]->together > 1) groups[i] = write_group(w, plan, i, functions);
    write_blank(w);
    if (!is_static) write_line(w, "void %s_%s(struct %s_call *call);", w->module, name, w->module);
    write_open(w, "%svoid %s_%s(struct %s_call *call)", is_static ? "static " : "", w->module, name,
               w->module);
    bool has_calls = false;
    for (int i = 0; i < plan->kernel_count; i++) {
        const struct kernel *kernel = plan->kernels[i];
        if (kernel->is_prepared != is_preparation || !kernel->together) continue;
        const char *function = groups[i];
        if (!function)
            function = arena_format(w->arena, "%s_%s", functions[i].prefix, kernel->name);
        const long units = kernel_loop_units(plan, kernel);
        if (kernel_is_shared(plan, kernel))
            write_line(w, "call->parallel(call->pool, %s, call, %ld);", function, units);
        else
            write_line(w, "%s(call, 0, %ld);", function, units);
        has_calls = true;
    }
    if (!has_calls) write_line(w, "(void)call;"); /* as the update of frozen layers */
    write_close(w);
}

/* Room for most modules: a text that grows leaves its former selves behind in the arena. */
enum { PRELUDE_BYTES = 320 << 10, BODY_BYTES = 256 << 10 };

struct module_text write_module(struct arena *arena, struct program_plan *const plans[MODE_COUNT],
                                const struct compile_options *options, const char *prefix,
                                const char *provenance) {
    struct writer *w = ARENA_NEW(arena, struct writer);
    w->arena = arena;
    w->text.arena = arena;
    w->dialect = options->dialect;
    w->target = options->target;
    w->module = prefix;
    w->mathematics = options->own_mathematics ? "own_" : NULL;
    text_reserve(&w->text, BODY_BYTES);
    int kernels = 0, written = 0;
    for (int mode = 0; mode < MODE_COUNT; mode++)
        if (plans[mode]) kernels += plans[mode]->kernel_count;
    struct kernel_function *functions = ARENA_ARRAY(arena, struct kernel_function, kernels);
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        if (!plans[mode]) continue;
        w->plan = plans[mode];
        w->prefix = arena_format(arena, "%s_%s", prefix, entry_names[mode]);
        const struct kernel_function *own = functions + written;
        written = write_functions(w, functions, written);
        write_entry(w, w->plan, own, entry_names[mode], options->standalone);
        if (w->plan->prepared_elements)
            write_entry(w, w->plan, own, preparation_name, options->standalone);
    }
    const struct text body = w->text;
    w->text = (struct text){.arena = arena};
    text_reserve(&w->text, body.length + PRELUDE_BYTES);
    if (!options->standalone) write_comment(w, "%s", provenance);
    if (options->use_double) write_line(w, "#define LATHE_DOUBLE 1");
    if (w->dialect == DIALECT_TCC)
        write_tcc_prelude(w);
    else
        write_cc_prelude(w);
    write_call_struct(w, !options->standalone);
    text_put(&w->text, text_string(&body));
    w->symbols[w->symbol_count] = NULL;
    return (struct module_text){text_string(&w->text), w->symbols};
}
