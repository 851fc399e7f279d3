/* target.c: the instruction sets that code is generated for (see target.h). */
#include "target.h"

#include <stddef.h>
#include <string.h>

/* The register tiles were measured with gcc 12 at -O2: a convolution tile holds a * b accumulators,
 * the smaller side and one vector more; without fused multiply-add also the product. */
static const struct target x86_64_v4 = {
    .name = "x86-64-v4",
    .march = "-march=x86-64-v4 -mprefer-vector-width=512",
    .lanes = 16,
    .block_lanes = 16,
    .registers = 32,
    .l1 = 32 * 1024,
    .l2 = 1024 * 1024,
    .tile_channels = 6,
    .tile_pixels = 4,
    .gradient_out = 5,
    .gradient_in = 4,
    .matmul_rows = 6,
    .matmul_vectors = 4,
};
static const struct target x86_64_v3 = {
    .name = "x86-64-v3",
    .march = "-march=x86-64-v3",
    .lanes = 8,
    .block_lanes = 8,
    .registers = 16,
    .l1 = 32 * 1024,
    .l2 = 256 * 1024,
    .tile_channels = 6,
    .tile_pixels = 2,
    .gradient_out = 3,
    .gradient_in = 4,
    .matmul_rows = 6,
    .matmul_vectors = 2,
};
static const struct target aarch64 = {
    .name = "aarch64",
    .march = "",
    .lanes = 4,
    .block_lanes = 4,
    .registers = 32,
    .l1 = 32 * 1024,
    .l2 = 256 * 1024,
    .tile_channels = 6,
    .tile_pixels = 4,
    .gradient_out = 5,
    .gradient_in = 4,
    .matmul_rows = 6,
    .matmul_vectors = 4,
};
/* Cortex-A with NEON: sixteen registers of four floats. */
static const struct target armv7 = {
    .name = "armv7",
    .march = "-march=armv7-a -mfpu=neon-vfpv4",
    .lanes = 4,
    .block_lanes = 4,
    .registers = 16,
    .l1 = 32 * 1024,
    .l2 = 256 * 1024,
    .tile_channels = 6,
    .tile_pixels = 2,
    .gradient_out = 6,
    .gradient_in = 2,
    .matmul_rows = 6,
    .matmul_vectors = 2,
};
/* RV64GC: 32 registers of one float; no vectors. */
static const struct target riscv64 = {
    .name = "riscv64",
    .march = "",
    .lanes = 1,
    .block_lanes = 1,
    .registers = 32,
    .l1 = 32 * 1024,
    .l2 = 256 * 1024,
    .tile_channels = 6,
    .tile_pixels = 4,
    .gradient_out = 5,
    .gradient_in = 4,
    .matmul_rows = 6,
    .matmul_vectors = 4,
};
/* Cortex-M4F and M7: 32 registers of one float, memory in one cycle or two, little room for code.
 */
static const struct target cortex_m = {
    .name = "cortex-m",
    .march = "",
    .lanes = 1,
    .block_lanes = 1,
    .registers = 32,
    .l1 = 16 * 1024,
    .l2 = 64 * 1024,
    .is_small = true,
    .tile_channels = 4,
    .tile_pixels = 4,
    .gradient_out = 4,
    .gradient_in = 4,
    .matmul_rows = 4,
    .matmul_vectors = 4,
};
/* What a compiler makes without flags: SSE2 on x86-64, the base vector set elsewhere. */
static const struct target generic = {
    .name = "generic",
    .march = "",
    .lanes = 4,
    .block_lanes = 4,
    .registers = 16,
    .l1 = 32 * 1024,
    .l2 = 256 * 1024,
    .tile_channels = 6,
    .tile_pixels = 2,
    .gradient_out = 6,
    .gradient_in = 2,
    .matmul_rows = 6,
    .matmul_vectors = 2,
};

static const struct target *const all[] = {&x86_64_v4, &x86_64_v3, &aarch64, &armv7,
                                           &riscv64,   &cortex_m,  &generic, NULL};

const struct target *const *targets(void) {
    return all;
}

const struct target *target_find(const char *name) {
    for (const struct target *const *target = all; *target; target++)
        if (strcmp((*target)->name, name) == 0) return *target;
    return NULL;
}

int target_row_vectors(const struct target *target) {
    int vectors = target->registers * 3 / 8;
    bool is_wider = !target->even_tiles && vectors > target->matmul_vectors;
    return is_wider ? vectors : target->matmul_vectors;
}

struct target target_small(const struct target *target) {
    struct target small = *target;
    small.lanes = small.block_lanes = 1;
    small.even_tiles = true;
    small.registers = 7; /* 2 x 2 sums, two numbers and one more: keeps all tiles that small */
    small.tile_channels = small.tile_pixels = 2;
    small.gradient_out = small.gradient_in = 2;
    small.matmul_rows = small.matmul_vectors = 2;
    return small;
}

bool target_runs(const struct target *target) {
    if (strcmp(target->name, generic.name) == 0) return true;
#if defined(__x86_64__) && defined(__GNUC__)
    /* These ask the operating system too (it must save the wide registers). */
    bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    if (strcmp(target->name, x86_64_v3.name) == 0) return v3;
    if (strcmp(target->name, x86_64_v4.name) == 0)
        return v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#endif
    return false;
}

const struct target *target_native(void) {
    const struct target *const *target = all;
    while (!target_runs(*target)) target++;
#if defined(__x86_64__) && defined(__GNUC__)
    static struct target amd;
    if (__builtin_cpu_is("amd")) {
        amd = **target;
        amd.fast_l2 = true;
        return &amd;
    }
#endif
    return *target;
}
