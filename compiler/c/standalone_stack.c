/* standalone_stack.c: how much stack the functions of a standalone source need at most. Their local
 * arrays are read from its text; a fixed allowance stands for what a compiler adds: registers that
 * are saved, vectors that do not fit into registers, copies of small functions in large ones.
 * tests/test_emit_checks.c compares the result with what GCC reports.
 */
#include "standalone.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Numbers in the array that a line declares: "    real sums[3][16];"; 0 if it declares none. */
static long array_size(const char *line, const char *end) {
    long size = 1;
    const char *at = line + strspn(line, " ");
    if (at == line || strncmp(at, "real ", 5) != 0) return 0;
    at += 5;
    while (isalnum((unsigned char)*at) || *at == '_') at++;
    if (*at != '[') return 0;
    while (*at == '[') {
        char *behind;
        size *= strtol(at + 1, &behind, 10);
        if (behind == at + 1 || *behind != ']') return 0;
        at = behind + 1;
    }
    return *at == ';' && at < end ? size : 0;
}

long stack_bytes(const char *source, const struct target *target, long real_bytes) {
    long in_function = 0, kernel = 0, helper = 0;
    bool is_helper = false;
    for (const char *line = source; *line;) {
        const char *end = strchr(line, '\n');
        if (!end) end = line + strlen(line);
        if (*line != ' ' && *line != '#' && *line != '\n' && *line != '}') {
            is_helper = starts_helper(line);
            in_function = 0;
        }
        in_function += array_size(line, end);
        long *largest = is_helper ? &helper : &kernel;
        if (in_function > *largest) *largest = in_function;
        line = *end ? end + 1 : end;
    }
    long allowance = 2048 + 128 * real_bytes * target->lanes;
    long bytes = (kernel + helper) * real_bytes + allowance; /* a kernel calls helpers */
    return (bytes + 255) / 256 * 256;
}
