/* jit.h: a model made to run in this process, by libtcc or by a C compiler. */
#ifndef LATHE_JIT_H
#define LATHE_JIT_H

#include "../compile.h"

enum backend { BACKEND_AUTO, BACKEND_TCC, BACKEND_CC };

struct jit_options {
    enum backend backend;
    const char *cc; /* "gcc" or "clang"; NULL: whichever is there, gcc first */
    struct compile_options compile;
};

struct jit;

/** Compiles the model and loads it. BACKEND_AUTO starts on tcc and builds with cc in a background
 * process; where cc is missing it stays on tcc. The model must stay. NULL + message on failure. */
struct jit *jit_new(const struct model *model, const struct jit_options *options,
                    struct error *error);

/** The program to call now. With BACKEND_AUTO, ask again between two steps: it turns into the cc
 * build once that is ready (sizes and memory layout are the same). The second call looks into the
 * cache and, if the build is not there, starts it: the first step is not kept waiting, and a single
 * call never starts a compiler. */
const struct program *jit_program(struct jit *jit);

/** "tcc" or "cc": what jit_program returned last. */
const char *jit_backend(const struct jit *jit);

/** With BACKEND_AUTO: why it stays on tcc (no compiler, a failed build), or NULL. */
const char *jit_note(const struct jit *jit);

/** What compiled the program that jit_program returned last: the compiler's command line. */
const char *jit_compiler(const struct jit *jit);

/** The kernels of an entry point, in the order they run. */
const struct kernel_summary *jit_kernels(const struct jit *jit, enum mode mode, int *count);

/** Milliseconds that compiling took: generation of C, and its compilation (cc: 0 when cached). */
void jit_times(const struct jit *jit, double *generate_ms, double *compile_ms);

/** Unloads all; ends a background build. jit may be NULL. */
void jit_free(struct jit *jit);

#endif
