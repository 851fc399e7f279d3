/* text.h: a growing string; the C writer, the printers and the JSON outputs append to it. */
#ifndef LATHE_TEXT_H
#define LATHE_TEXT_H

#include "arena.h"

struct text {
    struct arena *arena;
    char *data; /* NUL-terminated once anything was appended, else NULL */
    size_t length, capacity;
};

/** Makes room for a text of this length in one piece. */
void text_reserve(struct text *text, size_t length);

/** Appends a formatted string (printf rules). */
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The same with a list of arguments. */
void text_add_list(struct text *text, const char *format, va_list arguments);

/** Appends a string as it is. */
void text_put(struct text *text, const char *string);

/** Appends a word of a command line, quoted where a shell needs it. */
void text_put_word(struct text *text, const char *word);

/** The string so far; "" when nothing was appended. */
const char *text_string(const struct text *text);

#endif
