/* options.c: parses command lines by table and prints their --help. */
#include "options.h"
#include "../frontend/suggest.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORD = 48, MAX_OPTIONS = 32, HELP_COLUMN = 30, HELP_WIDTH = 98 };

const char *options_nearest(const char *word, const char *const *candidates) {
    struct suggestion suggestion = suggestion_for(word);

    for (; *candidates; candidates++) suggestion_offer(&suggestion, *candidates);
    return suggestion.best;
}

/* What an option is called in a message: --output, or -o when typed so. */
static bool unknown_option(const struct command_line *line, const char *word, struct error *error) {
    const char *names[MAX_OPTIONS + 2];
    int count = 0, length = (int)strcspn(word, "=");
    char name[MAX_WORD + 1];

    for (int i = 0; i < line->option_count && i < MAX_OPTIONS; i++)
        names[count++] = line->options[i].name;
    names[count++] = "help";
    names[count] = NULL;
    snprintf(name, sizeof name, "%.*s", length, word);
    const char *bare = name + strspn(name, "-");
    const char *nearest = options_nearest(bare, names);
    if (nearest)
        return error_set(error, "lathe %s: unknown option \"%.*s\"; did you mean \"--%s\"?",
                         line->name, length, word, nearest);
    return error_set(error, "lathe %s: unknown option \"%.*s\"; `lathe %s --help` lists them",
                     line->name, length, word, line->name);
}

/* True if the text, up to its end, is a decimal integer within [least, most]. */
static bool parse_integer(const char *text, long long least, long long most, long *value) {
    char *end;

    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end || errno || number < least || number > most) return false;
    *value = (long)number;
    return true;
}

static bool parse_choice(const char *choices, const char *text, long *value) {
    size_t length = strlen(text);

    for (long i = 0;; i++) {
        size_t choice = strcspn(choices, "|");
        if (choice == length && memcmp(choices, text, length) == 0) {
            *value = i;
            return true;
        }
        if (!choices[choice]) return false;
        choices += choice + 1;
    }
}

/* Stores the value of one option; text is NULL for a flag. */
static bool store(const struct command_line *line, const struct command_option *option,
                  const char *text, void *values, struct error *error) {
    void *field = (char *)values + option->field;
    const char *wanted = NULL;
    double fraction;
    char *end;

    switch (option->kind) {
    case COMMAND_FLAG: *(bool *)field = true; break;
    case COMMAND_TEXT:
        *(const char **)field = text;
        if (!*text) wanted = "a text that is not empty";
        break;
    case COMMAND_COUNT:
        if (!parse_integer(text, 1, INT32_MAX, field)) wanted = "an integer from 1 to 2147483647";
        break;
    case COMMAND_SEED:
        if (!parse_integer(text, 0, UINT32_MAX, field)) wanted = "an integer from 0 to 4294967295";
        break;
    case COMMAND_FRACTION:
        fraction = strtod(text, &end);
        if (end == text || *end || !(fraction >= 0 && fraction < 1))
            wanted = "a number of at least 0 and below 1";
        *(double *)field = fraction;
        break;
    case COMMAND_CHOICE:
        if (!parse_choice(option->value_name, text, field)) wanted = option->value_name;
        break;
    }
    if (!wanted) return true;
    return error_set(error, "lathe %s: --%s %s: expected %s%s", line->name, option->name,
                     *text ? text : "\"\"", option->kind == COMMAND_CHOICE ? "one of " : "",
                     wanted);
}

/* The option that argv's word names. *value points behind the = of --name=value, else NULL. */
static const struct command_option *find_option(const struct command_line *line, const char *word,
                                                const char **value) {
    *value = NULL;
    for (int i = 0; i < line->option_count; i++) {
        const struct command_option *option = &line->options[i];
        size_t length = strlen(option->name);
        if (option->letter && word[1] == option->letter && !word[2]) return option;
        if (word[1] != '-' || strncmp(word + 2, option->name, length) != 0) continue;
        if (!word[2 + length]) return option;
        if (word[2 + length] != '=') continue;
        *value = word + 2 + length + 1;
        return option;
    }
    return NULL;
}

static bool store_defaults(const struct command_line *line, void *values, struct error *error) {
    for (int i = 0; i < line->option_count; i++) {
        const struct command_option *option = &line->options[i];
        if (option->default_value && !store(line, option, option->default_value, values, error))
            return false;
    }
    return true;
}

/* Parses the option at argv[*i]; moves *i on to its value where that stands apart. */
static bool parse_option(const struct command_line *line, int argc, char **argv, int *i,
                         void *values, struct error *error) {
    const char *value;
    const struct command_option *option = find_option(line, argv[*i], &value);

    if (!option) return unknown_option(line, argv[*i], error);
    if (option->kind == COMMAND_FLAG) {
        if (value)
            return error_set(error, "lathe %s: --%s takes no value", line->name, option->name);
        return store(line, option, NULL, values, error);
    }
    if (!value) {
        if (*i + 1 >= argc)
            return error_set(error, "lathe %s: --%s needs a value: --%s %s", line->name,
                             option->name, option->name, option->value_name);
        value = argv[++*i];
    }
    return store(line, option, value, values, error);
}

bool options_parse(const struct command_line *line, int argc, char **argv, void *values,
                   struct arguments *arguments, struct error *error) {
    bool only_positional = false;

    *arguments = (struct arguments){.positional = (const char *const *)argv};
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            arguments->help = true;
            return true;
        }
    if (!store_defaults(line, values, error)) return false;
    for (int i = 0; i < argc; i++) {
        if (!only_positional && strcmp(argv[i], "--") == 0) {
            only_positional = true;
        } else if (!only_positional && argv[i][0] == '-' && argv[i][1]) {
            if (!parse_option(line, argc, argv, &i, values, error)) return false;
        } else {
            argv[arguments->count++] = argv[i];
        }
    }
    if (arguments->count < line->least)
        return error_set(error, "lathe %s: missing %s; usage: lathe %s %s", line->name,
                         line->positional, line->name, line->usage);
    if (line->most >= 0 && arguments->count > line->most)
        return error_set(error, "lathe %s: unexpected argument \"%s\"; usage: lathe %s %s",
                         line->name, argv[line->most], line->name, line->usage);
    for (int i = 0; i < arguments->count; i++)
        if (!*argv[i])
            return error_set(error, "lathe %s: argument %d is an empty path; usage: lathe %s %s",
                             line->name, i + 1, line->name, line->usage);
    return true;
}

/* Prints words from column HELP_COLUMN on, in lines of at most HELP_WIDTH columns. */
static void print_wrapped(const char *text) {
    int column = HELP_COLUMN;

    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        column += printf("%s%.*s", column > HELP_COLUMN ? " " : "", length, text);
        text += length + (text[length] == ' ');
    }
    printf("\n");
}

void options_print_help(const struct command_line *line) {
    printf("usage: lathe %s %s\n\n%s\n\noptions:\n", line->name, line->usage, line->purpose);
    for (int i = 0; i < line->option_count; i++) {
        const struct command_option *option = &line->options[i];
        char left[80], letter[8] = "", help[400];
        if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
        snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name,
                 option->value_name ? " " : "", option->value_name ? option->value_name : "");
        snprintf(
            help, sizeof help, "%s%s%s%s", option->help, option->default_value ? " (default: " : "",
            option->default_value ? option->default_value : "", option->default_value ? ")" : "");
        if (strlen(left) >= HELP_COLUMN - 1)
            printf("%s\n%*s", left, HELP_COLUMN, "");
        else
            printf("%-*s", HELP_COLUMN, left);
        print_wrapped(help);
    }
    printf("  %-*s%s\n", HELP_COLUMN - 2, "-h, --help", "show this text");
}
