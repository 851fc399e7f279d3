/* tcc.c: compiles C text with libtcc, in memory of our own.
 *
 * libtcc keeps global state, hence the mutex. The code is relocated into a mapping of ours, so that
 * the compiler's state can go at once. libtcc reaches every symbol that was added through a jump
 * table or a table of addresses: how far the mapping lies from the executable does not matter. */
#include "tcc.h"

#include "../../runtime/generic.h"
#include "../kernel/driver.h"
#include "tcc_memory.h"

#include <libtcc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct tcc_module {
    void *memory;
    size_t size;
    struct symbol *symbols; /* all of the module, read before libtcc's state goes */
};

struct symbol {
    struct symbol *next;
    void *address;
    char name[];
};

struct messages {
    char text[1024];
    size_t length;
};

static pthread_mutex_t libtcc = PTHREAD_MUTEX_INITIALIZER;

/* What libtcc calls for conversions that one instruction cannot do; its own library with these is
 * not linked. */
static double double_from_unsigned(unsigned long long value) {
    return (double)value;
}

static float float_from_unsigned(unsigned long long value) {
    return (float)value;
}

static unsigned long long unsigned_from_double(double value) {
    return (unsigned long long)value;
}

static unsigned long long unsigned_from_float(float value) {
    return (unsigned long long)value;
}

#define FUNCTION(name) \
    { #name, (const void *)(name) }
/* ISO C has no conversion between pointers to functions and to objects; POSIX guarantees it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
static const struct tcc_symbol standard[] = {
    FUNCTION(memcpy),
    FUNCTION(memset),
    FUNCTION(memmove),
    FUNCTION(lathe_sgemm),
    FUNCTION(convolution_drive),
    FUNCTION(winograd_drive),
    FUNCTION(expf),
    FUNCTION(logf),
    FUNCTION(sqrtf),
    FUNCTION(tanhf),
    FUNCTION(erff),
    FUNCTION(sinf),
    FUNCTION(cosf),
    FUNCTION(powf),
    FUNCTION(floorf),
    FUNCTION(ceilf),
    FUNCTION(fabsf),
    FUNCTION(fmaxf),
    FUNCTION(fminf),
    FUNCTION(fmaf),
    FUNCTION(exp),
    FUNCTION(log),
    FUNCTION(sqrt),
    FUNCTION(tanh),
    FUNCTION(erf),
    FUNCTION(sin),
    FUNCTION(cos),
    FUNCTION(pow),
    FUNCTION(floor),
    FUNCTION(ceil),
    FUNCTION(fabs),
    FUNCTION(fmax),
    FUNCTION(fmin),
    FUNCTION(fma),
    {"__floatundidf", (const void *)double_from_unsigned},
    {"__floatundisf", (const void *)float_from_unsigned},
    {"__fixunsdfdi", (const void *)unsigned_from_double},
    {"__fixunssfdi", (const void *)unsigned_from_float},
    {NULL, NULL},
};
#pragma GCC diagnostic pop

static void collect_message(void *opaque, const char *message) {
    struct messages *messages = opaque;
    size_t room = sizeof messages->text - messages->length;
    int added = snprintf(messages->text + messages->length, room, "%s%s",
                         messages->length > 0 ? "\n" : "", message);
    messages->length += added < 0 ? 0 : (size_t)added >= room ? room - 1 : (size_t)added;
}

static void remember_symbol(void *context, const char *name, const void *address) {
    struct tcc_module *module = context;
    size_t length = strlen(name) + 1;
    struct symbol *symbol = malloc(sizeof *symbol + length);
    if (!symbol) return; /* tcc_module_find will not know it: the caller says so */
    memcpy(symbol->name, name, length);
    symbol->address = (void *)(size_t)address;
    symbol->next = module->symbols;
    module->symbols = symbol;
}

/* Compiles and relocates into fresh memory; the messages say what went wrong. */
static bool build(TCCState *state, const char *text, const struct tcc_symbol *symbols,
                  struct tcc_module *module, const struct messages *messages) {
    tcc_set_options(state, "-nostdlib -nostdinc -Wall");
    tcc_set_output_type(state, TCC_OUTPUT_MEMORY);
    for (const struct tcc_symbol *s = standard; s->name; s++)
        tcc_add_symbol(state, s->name, s->address);
    for (const struct tcc_symbol *s = symbols; s && s->name; s++)
        tcc_add_symbol(state, s->name, s->address);
    if (tcc_compile_string(state, text) < 0 || messages->length > 0) return false;
    int size = tcc_relocate(state, NULL);
    if (size <= 0) return false;
    void *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE | PROT_EXEC,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        collect_message((void *)(size_t)messages, "no executable memory");
        return false;
    }
    module->memory = memory;
    module->size = (size_t)size;
    if (tcc_relocate(state, memory) < 0 || messages->length > 0) return false;
    tcc_list_symbols(state, module, remember_symbol);
    return true;
}

struct tcc_module *tcc_module_new(const char *text, const struct tcc_symbol *symbols,
                                  struct error *error) {
    struct messages messages = {.length = 0};
    struct tcc_module *module = calloc(1, sizeof *module);
    if (!module) {
        error_set(error, "out of memory");
        return NULL;
    }
    bool done = false;
    pthread_mutex_lock(&libtcc);
    TCCState *state = tcc_new();
    if (state) {
        tcc_set_error_func(state, &messages, collect_message);
        done = build(state, text, symbols, module, &messages);
        tcc_delete(state);
    }
    tcc_memory_release();
    pthread_mutex_unlock(&libtcc);
    if (done) return module;
    error_set(error, "libtcc cannot compile the generated C:\n%s",
              messages.length > 0 ? messages.text : "out of memory");
    tcc_module_free(module);
    return NULL;
}

void *tcc_module_find(const struct tcc_module *module, const char *name) {
    for (const struct symbol *symbol = module->symbols; symbol; symbol = symbol->next)
        if (strcmp(symbol->name, name) == 0) return symbol->address;
    return NULL;
}

void tcc_module_free(struct tcc_module *module) {
    if (!module) return;
    if (module->memory) munmap(module->memory, module->size);
    for (struct symbol *symbol = module->symbols, *next; symbol; symbol = next) {
        next = symbol->next;
        free(symbol);
    }
    free(module);
}
