/* text.c: a growing string (see text.h). */
#include "text.h"

#include <stdio.h>
#include <string.h>

static void reserve(struct text *text, size_t more) {
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity) return;
    size_t capacity = text->capacity ? text->capacity * 2 : 256;
    while (capacity < needed) capacity *= 2;
    char *data = arena_alloc(text->arena, capacity);
    if (text->length) memcpy(data, text->data, text->length + 1);
    text->data = data;
    text->capacity = capacity;
}

void text_put(struct text *text, const char *string) {
    size_t length = strlen(string);
    reserve(text, length);
    memcpy(text->data + text->length, string, length + 1);
    text->length += length;
}

void text_add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    reserve(text, (size_t)length);
    va_start(arguments, format);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

const char *text_string(const struct text *text) {
    return text->data ? text->data : "";
}
