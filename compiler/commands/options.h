/* options.h: the command line of a command, described by one table.
 *
 * The table says names, kinds, defaults and help; parsing, the --help text and every message come
 * from it. A default is written as the user would type it and parsed the same way. */
#ifndef LATHE_OPTIONS_H
#define LATHE_OPTIONS_H

#include "../../runtime/error.h"

#include <stddef.h>

enum command_option_kind {
    COMMAND_FLAG,     /* bool: given or not */
    COMMAND_TEXT,     /* const char *: any text that is not empty */
    COMMAND_COUNT,    /* long: at least 1 */
    COMMAND_SEED,     /* long: 0 .. 2^32 - 1 */
    COMMAND_FRACTION, /* double: at least 0 and below 1 */
    COMMAND_CHOICE    /* long: the position in `choices` */
};

struct command_option {
    const char *name; /* "epochs": typed --epochs N or --epochs=N */
    char letter;      /* 'o': also typed -o; 0: none */
    enum command_option_kind kind;
    size_t field;           /* offsetof(the command's struct, ...) */
    const char *value_name; /* for --help: "N"; flags: NULL. CHOICE: "auto|tcc|cc", the choices */
    const char *default_value; /* NULL: the field keeps what it has (0, NULL, -1: the command's) */
    const char *help;          /* one sentence; a default is appended by --help */
};

struct command_line {
    const char *name;  /* "train" */
    const char *usage; /* what stands behind `lathe train`: "MODEL.lua --data NAME|DIR [options]" */
    const char *purpose; /* one or two sentences */
    const struct command_option *options;
    int option_count;
    const char *positional; /* what the positional arguments are, for messages: "MODEL.lua" */
    int least, most;        /* how many positional arguments; most -1: any number */
};

struct arguments {
    const char *const *positional; /* the positional arguments, in order; point into argv */
    int count;
    bool help; /* --help was given: nothing was checked */
};

/** Parses argv[0 .. argc) (behind the command's name) into the fields of *values, which starts with
 * the defaults. Reorders argv: positional arguments first. False + message
 * `lathe train: unknown option "--epoch"; did you mean "--epochs"?`. */
bool options_parse(const struct command_line *line, int argc, char **argv, void *values,
                   struct arguments *arguments, struct error *error);

/** Prints the --help text of a command on stdout. */
void options_print_help(const struct command_line *line);

/** The candidate (of a list that ends with NULL) that a mistyped word most likely means, or NULL
 * when none is close. */
const char *options_nearest(const char *word, const char *const *candidates);

#endif
