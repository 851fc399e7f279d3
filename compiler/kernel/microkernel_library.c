/* microkernel_library.c: finds functions of the libraries that print_microkernels printed. */
#include "microkernel.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    const char *name;
    microkernel_function *function;
};

#ifdef __x86_64__
extern const struct entry microkernels_x86_64_v4[], microkernels_x86_64_v3[];
extern const long microkernels_x86_64_v4_count, microkernels_x86_64_v3_count;
#endif
extern const struct entry microkernels_generic[];
extern const long microkernels_generic_count;

static int compare(const void *name, const void *entry) {
    return strcmp(name, ((const struct entry *)entry)->name);
}

microkernel_function *microkernel_symbol(const struct target *target, const char *name) {
    const struct entry *entries = NULL, *found;
    long count = 0;
#ifdef __x86_64__
    if (strcmp(target->name, "x86-64-v4") == 0) {
        entries = microkernels_x86_64_v4;
        count = microkernels_x86_64_v4_count;
    }
    if (strcmp(target->name, "x86-64-v3") == 0) {
        entries = microkernels_x86_64_v3;
        count = microkernels_x86_64_v3_count;
    }
#endif
    if (strcmp(target->name, "generic") == 0) {
        entries = microkernels_generic;
        count = microkernels_generic_count;
    }
    if (!entries) return NULL;
    found = bsearch(name, entries, (size_t)count, sizeof *entries, compare);
    return found ? found->function : NULL;
}
