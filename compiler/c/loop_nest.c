/* loop_nest.c: plans the loops of a loop kernel (see loop_nest.h): drops loops of one step, merges
 * neighbours that are one run of memory for every operand, and orders them. */
#include "loop_nest.h"

#include <string.h>

enum { STORE_CHUNK = 4096, SUM_CHUNK = 512 };

/* Longer rows take longer to compute than to call for, and what has one number a row would have to
 * be repeated for each piece. */
enum { SHORT_ROW = 64 };

/* Blocked dimensions: block, channel, row, column, lane; the axis of each. */
static const int axis_of_dimension[5] = {0, 3, 1, 2, 0};

static long view_stride(const struct program_plan *plan, const struct loop_kernel *loop,
                        const struct view *view, int dimension) {
    if (loop->pooling && dimension == 2) return view->layout == LAYOUT_BLOCKED;
    if (loop->layout == LAYOUT_BLOCKED && view->layout == LAYOUT_BLOCKED)
        return view->stride[dimension];
    int axis = loop->layout == LAYOUT_BLOCKED ? axis_of_dimension[dimension] : dimension;
    int own = axis - (loop->domain.rank - view->shape.rank);
    if (own < 0 || view->shape.size[own] == 1) return 0;
    bool is_block = loop->layout == LAYOUT_BLOCKED && dimension == 0;
    return view->stride[own] * (is_block ? plan->lanes : 1);
}

int nest_find(const struct nest *nest, const struct view *view) {
    for (int i = 0; i < nest->address_count; i++)
        if (nest->addresses[i].view == view) return i;
    return -1;
}

static const char *unique_name(struct nest *nest, struct writer *w, const char *name) {
    char *clean = arena_format(w->arena, "%s_", name ? name : "t");
    for (char *c = clean; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *c))
            *c = '_';
    if (*clean >= '0' && *clean <= '9') *clean = '_';
    const char *result = clean;
    for (int n = 2;; n++) {
        bool is_taken = false;
        for (int i = 0; i < nest->address_count; i++)
            is_taken = is_taken || !strcmp(nest->addresses[i].name, result);
        if (!is_taken) return result;
        result = arena_format(w->arena, "%s%d", clean, n);
    }
}

static void add_view(struct nest *nest, struct writer *w, const struct loop_kernel *loop,
                     const struct view *view, const struct tensor *tensor, bool is_written) {
    int i = nest_find(nest, view);
    if (i < 0) {
        i = nest->address_count;
        struct address *address = &nest->addresses[i];
        address->name = unique_name(nest, w, tensor->name);
        address->view = view;
        for (int d = 0; d < nest->rank; d++)
            address->stride[d] = view_stride(w->plan, loop, view, d);
        nest->address_count++;
    }
    if (is_written) nest->addresses[i].is_written = true;
}

/* Positions along an axis, and the row-major number of an element of the domain. */
static int add_position(struct nest *nest, const struct program_plan *plan,
                        const struct loop_kernel *loop, int axis, const char *name) {
    struct address *address = &nest->addresses[nest->address_count];
    long stride[MAX_RANK], size = 1;
    for (int i = loop->domain.rank - 1; i >= 0; i--) {
        stride[i] = axis < 0 ? size : i == axis;
        size *= loop->domain.size[i];
    }
    address->name = name;
    for (int d = 0; d < nest->rank; d++) {
        bool blocked = loop->layout == LAYOUT_BLOCKED;
        address->stride[d] = stride[blocked ? axis_of_dimension[d] : d];
        if (blocked && d == 0) address->stride[d] *= plan->lanes;
    }
    return nest->address_count++;
}

/* The same where the loop goes window by window: the strip is pixels of an image, in rows of
 * samples. */
static int add_image_position(struct nest *nest, const struct program_plan *plan,
                              const struct shape *image, int axis, const char *name) {
    struct address *address = &nest->addresses[nest->address_count];
    long sample = axis < 0 ? image->size[1] * image->size[2] * image->size[3] : axis == 0;
    long pixel = axis < 0 ? image->size[3] : 0, channel = axis < 0 || axis == 3;
    address->name = name;
    address->stride[0] = sample * plan->lanes;
    address->stride[1] = channel;
    address->stride[2] = sample;
    address->row_stride = pixel;
    return nest->address_count++;
}

static int add_position_of(struct nest *nest, struct writer *w, const struct loop_kernel *loop,
                           bool is_pooled, int axis) {
    static const char *const names[2][MAX_RANK] = {
        {"index0", "index1", "index2", "index3", "index4", "index5"},
        {"pooled_index0", "", "", "pooled_index3"}};
    const char *name = axis >= 0   ? names[is_pooled][axis]
                       : is_pooled ? "pooled_element"
                                   : "element";
    if (!loop->pooling) return add_position(nest, w->plan, loop, axis, name);
    const struct shape *image = is_pooled ? &loop->pooling->small : &loop->pooling->large;
    return add_image_position(nest, w->plan, image, axis, name);
}

/* Operands and results of all statements, and positions in both images. */
static int most_addresses(const struct loop_kernel *loop) {
    int most = 2 * (MAX_RANK + 1);
    for (int i = 0; i < loop->statement_count; i++) most += loop->statements[i].operand_count + 1;
    return most;
}

static void find_addresses(struct nest *nest, struct writer *w, const struct loop_kernel *loop) {
    nest->addresses = ARENA_ARRAY(w->arena, struct address, most_addresses(loop));
    for (int pooled = 0; pooled < 2; pooled++) {
        nest->element_address[pooled] = -1;
        for (int a = 0; a < MAX_RANK; a++) nest->index_address[pooled][a] = -1;
    }
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        int *index = nest->index_address[s->is_pooled], *element = nest->element_address;
        for (int j = 0; j < s->operand_count; j++)
            if (s->operands[j].statement < 0) {
                const struct tensor *tensor = s->operands[j].tensor;
                add_view(nest, w, loop, w->plan->views[tensor->number], tensor, false);
            }
        if (s->block_sums) {
            add_view(nest, w, loop, s->block_sums, s->tensor, true);
            long *stride = nest->addresses[nest_find(nest, s->block_sums)].stride;
            for (int d = 0; d < nest->rank; d++)
                if (axis_of_dimension[d] == 0) stride[d] = d ? 0 : s->block_sums->stride[0];
        } else if (s->is_stored) {
            add_view(nest, w, loop, w->plan->views[s->tensor->number], s->tensor, true);
        }
        for (int a = 0; a < loop->domain.rank; a++)
            if (index[a] < 0 && expression_reads_axis(s->expression, a))
                index[a] = add_position_of(nest, w, loop, s->is_pooled, a);
        if (element[s->is_pooled] < 0 && expression_contains(s->expression, EXPRESSION_RANDOM))
            element[s->is_pooled] = add_position_of(nest, w, loop, s->is_pooled, -1);
    }
}

static bool sums_by_block(const struct loop_kernel *loop) {
    for (int i = 0; i < loop->statement_count; i++)
        if (loop->statements[i].block_sums) return true;
    return false;
}

static void find_dimensions(struct nest *nest, const struct program_plan *plan,
                            const struct loop_kernel *loop) {
    if (loop->layout == LAYOUT_PLAIN) {
        nest->rank = loop->domain.rank;
        for (int d = 0; d < nest->rank; d++) {
            nest->extent[d] = loop->domain.size[d];
            nest->is_reduced[d] = loop->axes >> d & 1;
        }
        return;
    }
    nest->rank = 5;
    for (int d = 0; d < 5; d++) {
        nest->extent[d] = loop->domain.size[axis_of_dimension[d]];
        nest->is_reduced[d] = loop->axes >> axis_of_dimension[d] & 1;
    }
    nest->extent[0] = plan->rows / plan->lanes;
    nest->extent[4] = plan->lanes;
    if (sums_by_block(loop)) nest->is_reduced[0] = false;
}

static void remove_dimension(struct nest *nest, int d) {
    nest->rank--;
    for (int i = d; i < nest->rank; i++) {
        nest->extent[i] = nest->extent[i + 1];
        nest->is_reduced[i] = nest->is_reduced[i + 1];
        for (int a = 0; a < nest->address_count; a++)
            nest->addresses[a].stride[i] = nest->addresses[a].stride[i + 1];
    }
}

static bool can_merge(const struct nest *nest, int d) {
    if (d == 0 && nest->kernel->by_block) return false; /* its units are the blocks */
    if (nest->is_reduced[d] != nest->is_reduced[d + 1]) return false;
    for (int a = 0; a < nest->address_count; a++) {
        const long *stride = nest->addresses[a].stride;
        if (stride[d] != stride[d + 1] * nest->extent[d + 1]) return false;
    }
    return true;
}

static void merge_dimensions(struct nest *nest) {
    for (int d = nest->rank - 1; d >= 0; d--)
        if (nest->extent[d] == 1) remove_dimension(nest, d);
    for (int d = nest->rank - 2; d >= 0; d--) {
        if (!can_merge(nest, d)) continue;
        nest->extent[d + 1] *= nest->extent[d];
        remove_dimension(nest, d);
        d = nest->rank - 1;
    }
}

/* For libtcc, whose strips are calls: the two innermost loops become one strip where all memory
 * allows it, and only positions (of a sample, of an element) keep them apart. Chunks and pieces of
 * the strip must hold whole rows, and rows whole sets of partial sums: the same bits. */
static void merge_rows(struct nest *nest) {
    int d = nest->rank - 2;
    if (d < 0 || nest->is_reduced[d] != nest->is_reduced[d + 1]) return;
    if (d == 0 && nest->kernel->by_block) return;
    long row = nest->extent[d + 1];
    if (row % 16 || SUM_CHUNK % row) return;
    for (int a = 0; a < nest->address_count; a++) {
        struct address *address = &nest->addresses[a];
        if (address->view && address->stride[d] != address->stride[d + 1] * row) return;
    }
    for (int a = 0; a < nest->address_count; a++)
        nest->addresses[a].row_stride = nest->addresses[a].stride[d];
    nest->extent[d + 1] *= nest->extent[d];
    remove_dimension(nest, d);
    nest->row = row;
}

enum rows_form nest_rows_form(const struct nest *nest, const struct address *address) {
    long across = address->stride[nest->rows], along = address->stride[nest->strip];
    if (along == 0) return across ? ROWS_NUMBER_EACH : ROWS_NUMBER;
    if (along != 1) return ROWS_NONE;
    return across == nest->extent[nest->strip] ? ROWS_WHOLE : across ? ROWS_NONE : ROWS_SAME;
}

bool nest_sums_rows(const struct nest *nest) {
    return nest->rows >= 0 && nest->is_reduced[nest->strip];
}

/* Results are whole rows, or sums: side by side, one a row, or in one row. */
static bool fits_rows(const struct nest *nest, const struct address *address) {
    enum rows_form form = nest_rows_form(nest, address);
    if (!address->view) return true;
    if (form == ROWS_NUMBER_EACH && address->is_written)
        return nest_sums_rows(nest) && address->stride[nest->rows] == 1;
    if (form == ROWS_SAME && address->is_written) return nest->is_reduced[nest->rows];
    if (form == ROWS_NUMBER_EACH) return nest->extent[nest->strip] <= SHORT_ROW;
    return form != ROWS_NONE && !(form == ROWS_NUMBER && address->is_written);
}

/* For libtcc, whose strips are calls: where they are short, the loop around them becomes rows of a
 * piece. Each row keeps its sums, or each sum its order of rows: the same bits. */
static void plan_rows(struct nest *nest) {
    int *count = nest->reduced_count ? &nest->reduced_count : &nest->kept_count;
    const int *loops = nest->reduced_count ? nest->reduced : nest->kept;
    if (nest->strip < 0 || nest->row || *count == 0) return;
    bool is_reduced = nest->is_reduced[nest->strip], has_sums = nest->kernel->loop.axes;
    if (nest->extent[nest->strip] > LOOP_PIECE / 2 || nest->chunk < nest->extent[nest->strip])
        return;
    if (has_sums && is_reduced == (nest->reduced_count > 0)) return;
    nest->rows = loops[*count - 1];
    bool fits = true;
    for (int a = 0; a < nest->address_count; a++)
        fits = fits && fits_rows(nest, &nest->addresses[a]);
    if (!fits) {
        nest->rows = -1;
        return;
    }
    for (int a = 0; a < nest->address_count; a++)
        nest->addresses[a].row_stride = nest->addresses[a].stride[nest->rows];
    nest->row = nest->extent[nest->strip];
    --*count;
}

/* Window by window: blocks, channels, and strips of whole rows of windows. */
static void plan_windows(struct nest *nest, struct writer *w, const struct loop_kernel *loop) {
    const struct pooling *pooling = loop->pooling;
    long lanes = w->plan->lanes;
    nest->rank = 3;
    nest->extent[0] = w->plan->rows / lanes;
    nest->extent[1] = pooling->large.size[3];
    nest->extent[2] = pooling->window.kernel_size[0] * pooling->large.size[2] * lanes;
    nest->is_reduced[2] = loop->axes != 0;
    nest->is_reduced[0] = nest->is_reduced[2] && !sums_by_block(loop);
    nest->strip = 2;
    nest->row = lanes;
    nest->chunk = nest->extent[2];
    find_addresses(nest, w, loop);
    for (int d = 0; d < 2; d++) {
        if (nest->is_reduced[d])
            nest->reduced[nest->reduced_count++] = d;
        else
            nest->kept[nest->kept_count++] = d;
    }
}

static void plan_chunk(struct nest *nest) {
    if (nest->strip < 0) return;
    bool has_sums = nest->kernel->loop.axes;
    long length = nest->extent[nest->strip], most = has_sums ? SUM_CHUNK : STORE_CHUNK;
    nest->chunk = length;
    if (nest->is_reduced[nest->strip]) return;
    bool must_split = has_sums && length > SUM_CHUNK;
    if (nest->kept_count == 0 || must_split) nest->chunk = length < most ? length : most;
}

void nest_plan(struct nest *nest, struct writer *w, struct kernel *kernel) {
    const struct loop_kernel *loop = &kernel->loop;
    memset(nest, 0, sizeof *nest);
    nest->kernel = kernel;
    nest->rows = -1;
    nest->plan_views = w->plan->views;
    if (loop->pooling) {
        plan_windows(nest, w, loop);
        return;
    }
    find_dimensions(nest, w->plan, loop);
    find_addresses(nest, w, loop);
    merge_dimensions(nest);
    if (w->dialect == DIALECT_TCC) merge_rows(nest);
    nest->strip = nest->rank - 1;
    for (int d = 0; d < nest->strip; d++) {
        if (nest->is_reduced[d])
            nest->reduced[nest->reduced_count++] = d;
        else
            nest->kept[nest->kept_count++] = d;
    }
    plan_chunk(nest);
    if (w->dialect == DIALECT_TCC) plan_rows(nest);
}

bool nest_is_range(const struct nest *nest) {
    return nest->kernel->loop.update_rows != NULL;
}

bool nest_is_chunked(const struct nest *nest) {
    return nest_is_range(nest) || (nest->strip >= 0 && nest->chunk < nest->extent[nest->strip]);
}

long nest_units(const struct nest *nest) {
    if (nest->kept_count) return nest->extent[nest->kept[0]];
    if (nest->rows >= 0 && !nest->is_reduced[nest->rows]) return nest->extent[nest->rows];
    if (nest->strip < 0 || nest->is_reduced[nest->strip]) return 1;
    return (nest->extent[nest->strip] + nest->chunk - 1) / nest->chunk;
}
