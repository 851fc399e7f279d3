/* target.h: what code generation knows of an instruction set. */
#ifndef LATHE_TARGET_H
#define LATHE_TARGET_H

#include <stdbool.h>

struct target {
    const char *name;    /* --target: "x86-64-v4", "x86-64-v3", "generic" */
    const char *march;   /* flags for gcc and clang: "-march=x86-64-v4"; "" = none */
    int lanes;           /* floats in a vector; 1 = scalar code */
    int block_lanes;     /* samples in a block of images: lanes, or less for calls of few samples */
    int registers;       /* vector registers */
    long l1, l2;         /* bytes of data cache assumed per core */
    bool fast_l2;        /* it delivers what two multiply-adds a cycle take of a panel of b */
    bool is_small;       /* code is rather small than fast, unless asked otherwise */
    bool even_tiles;     /* tiles of one size only: less code */
    /* Register tiles, as measured (target.c). */
    int tile_channels, tile_pixels;     /* convolution: output channels x pixels */
    int gradient_out, gradient_in;      /* weight gradient: output x input channels */
    int matmul_rows, matmul_vectors;    /* dense: rows x vectors */
};

/** Vectors of a matmul tile of one row: the more of each row of b are read together, the better
 * they stream from memory. Measured on mnist_deep_mlp, one sample: 0.55 ms with 4, 0.44 with 12. */
int target_row_vectors(const struct target *target);

/** The target of a name, or NULL. */
const struct target *target_find(const char *name);

/** The target's form for small code: one number at a time, in a tile of 2 x 2 sums. */
struct target target_small(const struct target *target);

/** The best target this processor can run (CPUID), with what else is known of the processor. Of
 * the same name as that of targets(), but not always the same pointer. */
const struct target *target_native(void);

/** True if this processor (and its operating system) can run code for the target. */
bool target_runs(const struct target *target);

/** All targets, widest first; ends with NULL. */
const struct target *const *targets(void);

#endif
