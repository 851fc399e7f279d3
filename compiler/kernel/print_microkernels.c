/* print_microkernels.c: a build tool: prints the library of one target as C, to stdout.
 *
 * All functions are static; what the file exports is one table {name, function}, sorted by name, so
 * that the libraries of several targets link into one program. */
#include "microkernel_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct printer {
    struct text text;
    const struct target *target;
    const char *names[1024];
    int count;
};

static void add_name(void *context, const char *name) {
    struct printer *printer = context;
    if (printer->count == (int)(sizeof printer->names / sizeof *printer->names)) {
        fprintf(stderr, "print_microkernels: too many functions\n");
        exit(1);
    }
    printer->names[printer->count++] = name;
}

static void add_tile(void *context, const struct microkernel *kernel) {
    struct printer *printer = context;
    struct text name = {.arena = printer->text.arena};
    microkernel_name(&name, kernel);
    add_name(printer, text_string(&name));
    microkernel_print(&printer->text, kernel, printer->target, "static");
}

static void add_winograd(void *context, const char *name) {
    struct printer *printer = context;
    add_name(printer, name);
    microkernel_print_winograd(&printer->text, name, printer->target->lanes, "static");
}

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_table(struct printer *printer) {
    struct text *text = &printer->text;
    char *suffix = arena_string(text->arena, printer->target->name);
    for (char *c = suffix; *c; c++)
        if (*c == '-') *c = '_';
    qsort(printer->names, (size_t)printer->count, sizeof *printer->names, compare);
    text_add(text,
             "/* Sorted by name, for binary search. */\n"
             "struct entry {\n"
             "    const char *name;\n"
             "    void (*function)(void);\n"
             "};\n"
             "extern const struct entry microkernels_%s[];\n"
             "extern const long microkernels_%s_count;\n"
             "const long microkernels_%s_count = %d;\n"
             "const struct entry microkernels_%s[] = {\n",
             suffix, suffix, suffix, printer->count, suffix);
    for (int i = 0; i < printer->count; i++)
        text_add(text, "    {\"%s\", (void (*)(void))%s},\n", printer->names[i], printer->names[i]);
    text_put(text, "};\n");
}

int main(int count, char **arguments) {
    static struct printer printer;
    static struct arena arena;
    if (count != 2 || !(printer.target = target_find(arguments[1]))) {
        fprintf(stderr, "usage: print_microkernels TARGET\n");
        return 2;
    }
    arena_init(&arena);
    if (setjmp(arena.exhausted)) {
        fprintf(stderr, "print_microkernels: out of memory\n");
        return 1;
    }
    printer.text.arena = &arena;
    text_add(&printer.text, "/* Microkernels for %s, printed by print_microkernels. */\n",
             printer.target->name);
    microkernel_prelude(&printer.text, printer.target);
    /* Inlined, so that the loops over strips vectorize. */
    microkernel_print_helpers(&printer.text, printer.target, "LATHE_INLINE");
    microkernel_print_pool(&printer.text, printer.target->lanes, "static");
    microkernel_print_windows(&printer.text, printer.target->lanes, "static");
    microkernel_print_image(&printer.text, printer.target->lanes, "static");
    microkernel_print_strips(&printer.text);
    microkernel_print_rows(&printer.text);
    microkernel_print_chains(&printer.text);
    microkernel_each_function(add_name, &printer, &arena);
    for (const struct microkernel_chain *chain = microkernel_chains(); chain->name; chain++)
        add_name(&printer, chain->name);
    microkernel_each_winograd(printer.target, add_winograd, &printer, &arena);
    add_name(&printer, arena_format(&arena, "lane_sum_%d", printer.target->lanes));
    microkernel_each(printer.target, add_tile, &printer);
    microkernel_print_measure(&printer.text, printer.target);
    add_name(&printer, "measure_multiply_add");
    add_name(&printer, "measure_triad");
    print_table(&printer);
    bool written = fputs(text_string(&printer.text), stdout) >= 0 && fflush(stdout) == 0;
    arena_free(&arena);
    if (!written) fprintf(stderr, "print_microkernels: cannot write\n");
    return written ? 0 : 1;
}
