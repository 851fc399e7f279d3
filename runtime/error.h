/* error.h: how every library function of lathe fails: it fills a struct error and returns false or
 * NULL. Only main prints it and exits. */
#ifndef LATHE_ERROR_H
#define LATHE_ERROR_H

#include <stdbool.h>

struct error {
    char text[2048]; /* one message, without a final newline; empty: no error */
};

/** Stores a formatted message (printf rules) and returns false, so that a function can end with
 * `return error_set(error, ...)`. A long message is cut. error may be NULL. */
bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
