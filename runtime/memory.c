/* memory.c: allocates what calls of a program work in. */
#include "memory.h"
#include "parallel.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 };

/* Large blocks lie on huge pages where the system has them: the first step of a model spends more
 * time on page faults than on arithmetic otherwise. The last page counts if half of it is used. */
static void *allocate(size_t size) {
    bool is_large = size >= HUGE_PAGE / 2;
    void *block;

    if (size == 0) size = 1;
    if (size > SIZE_MAX / 2) return NULL;
    size_t huge = (size + HUGE_PAGE / 2) / HUGE_PAGE * HUGE_PAGE;
    if (is_large && size < huge) size = huge;
    if (posix_memalign(&block, is_large ? HUGE_PAGE : ALIGNMENT, size) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    if (is_large) madvise(block, huge, MADV_HUGEPAGE);
#endif
    return block;
}

void *memory_aligned(size_t size) {
    void *block = allocate(size);

    if (block) memset(block, 0, size);
    return block;
}

static float *floats(long rows, long columns) {
    size_t limit = SIZE_MAX / 2 / sizeof(float);

    if (rows < 0 || columns < 0) return NULL;
    if (columns && (size_t)rows > limit / (size_t)columns) return NULL;
    return memory_aligned((size_t)rows * (size_t)columns * sizeof(float));
}

bool program_memory_new(const struct program *program, struct program_memory *memory,
                        struct error *error) {
    bool complete = true;

    memset(memory, 0, sizeof *memory);
    for (int i = 0; i < PROGRAM_SPACES; i++) {
        memory->space[i] = floats(1, program->space_size[i]);
        complete = complete && memory->space[i];
    }
    memory->arena = allocate(program->arena_bytes);
    memory->prepared = allocate(program->prepared_bytes);
    memory->samples = floats(program->rows, program->sample_size);
    memory->labels = floats(program->rows, program->label_size);
    memory->predictions = floats(program->rows, program->output_size);
    complete = complete && memory->arena && memory->prepared;
    if (complete && memory->samples && memory->labels && memory->predictions)
        return true;
    program_memory_free(memory);
    return error_set(error,
                     "out of memory: a batch of %ld samples of \"%s\" needs %zu MB; a smaller "
                     "batch needs less",
                     program->batch, program->name, program->arena_bytes >> 20);
}

void program_memory_free(struct program_memory *memory) {
    for (int i = 0; i < PROGRAM_SPACES; i++) free(memory->space[i]);
    free(memory->arena);
    free(memory->prepared);
    free(memory->samples);
    free(memory->labels);
    free(memory->predictions);
    memset(memory, 0, sizeof *memory);
}

struct program_call program_memory_call(const struct program_memory *memory,
                                        program_parallel *parallel, void *pool) {
    struct program_call call = {
        .arena = memory->arena,
        .prepared = memory->prepared,
        .inputs = {memory->samples, memory->labels},
        .predictions = memory->predictions,
        .parallel = parallel,
        .pool = pool,
        .range_start = parallel == pool_parallel ? pool_range_start : NULL,
        .begins = parallel == pool_parallel ? pool_begins : NULL,
    };
    for (int i = 0; i < PROGRAM_SPACES; i++) call.space[i] = memory->space[i];
    return call;
}
