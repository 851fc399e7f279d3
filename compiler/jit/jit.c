/* jit.c: a model made to run: by libtcc at once, by a C compiler, or both in turn. */
#include "jit.h"

#include "../kernel/microkernel.h"
#include "cc.h"
#include "tcc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static const double poll_seconds = 2e-3;
static const char out_of_memory[] = "out of memory while compiling the model";

/* One of the two ways to run the model. */
struct end {
    struct arena work;               /* all that the compilation made; empty once it is loaded */
    const char *c_text;              /* in work */
    const char *const *symbols;      /* in work */
    struct compilation *compilation; /* what is kept of it */
    struct program program;
    double generate_ms, compile_ms;
};

struct jit {
    struct arena arena; /* what is kept */
    struct end tcc, cc;
    struct tcc_module *tcc_module;
    struct cc_module *cc_module;
    struct end *current;
    const struct model *model;
    struct jit_options options;
    bool pending;      /* AUTO: the cc build is still to come */
    bool asked;        /* jit_program was called before */
    double started;    /* when the background build was, */
    double polled;     /* when it was asked last */
    struct error note; /* why AUTO stays on tcc */
};

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool generate(struct jit *jit, struct end *end, enum dialect dialect, struct error *error) {
    if (setjmp(end->work.exhausted)) return error_set(error, out_of_memory);
    struct compile_options options = jit->options.compile;
    double start = seconds();
    arena_reserve(&end->work, 1 << 20); /* most compilations take more */
    options.dialect = dialect;
    struct compilation *compilation = compile_model(&end->work, jit->model, &options, error);
    end->generate_ms = (seconds() - start) * 1e3;
    if (!compilation) return false;
    end->c_text = compilation->c_text;
    end->symbols = compilation->symbols;
    end->compilation = compilation_without_text(&jit->arena, compilation);
    end->program = end->compilation->program;
    return true;
}

/* Gives the memory of a compilation back, to the system: training would hold it for hours. */
static void forget_text(struct end *end) {
    arena_free(&end->work);
    end->c_text = NULL;
    end->symbols = NULL;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

typedef void *find_function(const void *module, const char *name);

static void *find_in_tcc(const void *module, const char *name) {
    return tcc_module_find(module, name);
}

static void *find_in_cc(const void *module, const char *name) {
    return cc_module_find(module, name);
}

/* Completes the program with the entry points that were asked for. Does not allocate: it also runs
 * between two steps. */
static bool set_entries(struct end *end, const struct compile_options *options, find_function *find,
                        const void *module, struct error *error) {
    struct program *program = &end->program;
    const struct {
        const char *name;
        bool wanted;
        program_entry **entry;
    } entries[] = {{"train", options->training, &program->train},
                   {"evaluate", options->evaluation, &program->evaluate},
                   {"predict", options->prediction, &program->predict},
                   {"gradient", options->pieces > 1, &program->gradient},
                   {"update", options->pieces > 1, &program->update},
                   {"prepare", program->prepared_bytes > 0, &program->prepare}};
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        char name[512];
        *entries[i].entry = NULL;
        if (!entries[i].wanted) continue;
        snprintf(name, sizeof name, "%s_%s", options->prefix, entries[i].name);
        void *address = find(module, name);
        if (!address) return error_set(error, "the generated C has no function %s", name);
        memcpy(entries[i].entry, &address, sizeof address);
    }
    return true;
}

/* The library's functions for libtcc, in the arena. What is not there libtcc misses by itself. */
static const struct tcc_symbol *library_symbols(struct jit *jit, const struct target *target,
                                                const char *const *names) {
    int count = 0, found = 0;
    while (names && names[count]) count++;
    struct tcc_symbol *symbols = ARENA_ARRAY(&jit->tcc.work, struct tcc_symbol, count + 1);
    for (int i = 0; i < count; i++) {
        microkernel_function *function = microkernel_symbol(target, names[i]);
        if (!function) continue;
        symbols[found].name = names[i];
        memcpy(&symbols[found++].address, &function, sizeof function);
    }
    return symbols;
}

static bool load_tcc(struct jit *jit, struct error *error) {
    const struct compile_options *options = &jit->options.compile;
    if (!generate(jit, &jit->tcc, DIALECT_TCC, error)) return false;
    double start = seconds();
    if (setjmp(jit->tcc.work.exhausted)) return error_set(error, out_of_memory);
    const struct tcc_symbol *symbols = library_symbols(jit, options->target, jit->tcc.symbols);
    jit->tcc_module = tcc_module_new(jit->tcc.c_text, symbols, error);
    jit->tcc.compile_ms = (seconds() - start) * 1e3;
    forget_text(&jit->tcc);
    jit->current = &jit->tcc;
    return jit->tcc_module && set_entries(&jit->tcc, options, find_in_tcc, jit->tcc_module, error);
}

/* Generates the text for cc; the cache may have it built already. */
static bool prepare_cc(struct jit *jit, struct error *error) {
    if (!generate(jit, &jit->cc, DIALECT_CC, error)) return false;
    jit->cc_module =
        cc_module_new(jit->cc.c_text, jit->options.cc, jit->options.compile.target, error);
    return jit->cc_module != NULL;
}

/* Hands the loaded cc module out from now on. */
static bool use_cc(struct jit *jit, struct error *error) {
    if (!set_entries(&jit->cc, &jit->options.compile, find_in_cc, jit->cc_module, error))
        return false;
    jit->current = &jit->cc;
    return true;
}

static bool load_cc(struct jit *jit, struct error *error) {
    if (!prepare_cc(jit, error)) return false;
    double start = seconds();
    if (cc_module_poll(jit->cc_module, false, NULL) != CC_READY) {
        if (!cc_module_start(jit->cc_module, false, error) ||
            cc_module_poll(jit->cc_module, true, error) != CC_READY)
            return false;
        jit->cc.compile_ms = (seconds() - start) * 1e3;
    }
    forget_text(&jit->cc);
    return use_cc(jit, error);
}

static bool load(struct jit *jit, struct error *error) {
    if (setjmp(jit->arena.exhausted)) return error_set(error, out_of_memory);
    const char *prefix = jit->options.compile.prefix;
    if (!jit->options.compile.target) jit->options.compile.target = target_native();
    jit->options.compile.prefix = arena_string(&jit->arena, prefix ? prefix : "model");
    jit->pending = jit->options.backend == BACKEND_AUTO;
    return jit->options.backend == BACKEND_CC ? load_cc(jit, error) : load_tcc(jit, error);
}

struct jit *jit_new(const struct model *model, const struct jit_options *options,
                    struct error *error) {
    struct jit *jit = calloc(1, sizeof *jit);
    if (!jit) {
        error_set(error, "out of memory");
        return NULL;
    }
    arena_init(&jit->arena);
    arena_init(&jit->tcc.work);
    arena_init(&jit->cc.work);
    jit->model = model;
    jit->options = *options;
    if (load(jit, error)) return jit;
    jit_free(jit);
    return NULL;
}

/* Both programs work on the same memory: the caller's, sized by the first. */
static bool agree(struct jit *jit, struct error *error) {
    const struct program *a = &jit->tcc.program, *b = &jit->cc.program;
    if (a->batch != b->batch || a->rows != b->rows || a->arena_bytes < b->arena_bytes ||
        a->prepared_bytes != b->prepared_bytes ||
        memcmp(a->space_size, b->space_size, sizeof a->space_size) != 0)
        return error_set(error, "the tcc and the cc form of the model differ in their memory");
    return true;
}

/* Loads the build from the cache, or starts it. */
static bool start_build(struct jit *jit, struct error *error) {
    if (setjmp(jit->arena.exhausted)) return error_set(error, out_of_memory);
    if (!prepare_cc(jit, error) || !agree(jit, error)) return false;
    if (cc_module_poll(jit->cc_module, false, NULL) == CC_READY) return true;
    return cc_module_start(jit->cc_module, true, error);
}

/* Follows the background build. It starts with the second call only: the first step is not kept
 * waiting, and work of a single call never starts a compiler. */
static void follow_build(struct jit *jit) {
    double now = seconds();
    if (jit->started == 0) {
        if (!jit->asked) return;
        jit->pending = start_build(jit, &jit->note);
        jit->started = seconds();
        if (!jit->pending) forget_text(&jit->cc);
    } else if (now - jit->polled < poll_seconds) {
        return;
    }
    if (!jit->pending) return;
    jit->polled = now;
    enum cc_state state = cc_module_poll(jit->cc_module, false, &jit->note);
    if (state == CC_RUNNING) return;
    jit->pending = false;
    forget_text(&jit->cc);
    if (now > jit->started) jit->cc.compile_ms = (now - jit->started) * 1e3;
    if (state == CC_READY) use_cc(jit, &jit->note);
}

const struct program *jit_program(struct jit *jit) {
    if (jit->pending) follow_build(jit);
    jit->asked = true;
    return &jit->current->program;
}

const char *jit_backend(const struct jit *jit) {
    return jit->current == &jit->tcc ? "tcc" : "cc";
}

const char *jit_note(const struct jit *jit) {
    return *jit->note.text ? jit->note.text : NULL;
}

const char *jit_compiler(const struct jit *jit) {
    return jit->current == &jit->tcc ? "libtcc, with microkernels built by a C compiler"
                                     : cc_module_command(jit->cc_module);
}

const struct kernel_summary *jit_kernels(const struct jit *jit, enum mode mode, int *count) {
    *count = jit->current->compilation->kernel_count[mode];
    return jit->current->compilation->kernels[mode];
}

void jit_times(const struct jit *jit, double *generate_ms, double *compile_ms) {
    *generate_ms = jit->current->generate_ms;
    *compile_ms = jit->current->compile_ms;
}

void jit_free(struct jit *jit) {
    if (!jit) return;
    tcc_module_free(jit->tcc_module);
    cc_module_free(jit->cc_module);
    arena_free(&jit->tcc.work);
    arena_free(&jit->cc.work);
    arena_free(&jit->arena);
    free(jit);
}
