/* text.c: a growing string (see text.h). */
#include "text.h"

#include <stdio.h>
#include <string.h>

static void set_capacity(struct text *text, size_t capacity) {
    text->data = arena_grow(text->arena, text->data, text->capacity, capacity);
    text->capacity = capacity;
}

static void reserve(struct text *text, size_t more) {
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity) return;
    size_t capacity = text->capacity ? text->capacity * 2 : 256;
    while (capacity < needed) capacity *= 2;
    set_capacity(text, capacity);
}

void text_reserve(struct text *text, size_t length) {
    if (text->capacity > length) return;
    set_capacity(text, length + 1);
    text->data[text->length] = '\0';
}

void text_put(struct text *text, const char *string) {
    size_t length = strlen(string);
    reserve(text, length);
    memcpy(text->data + text->length, string, length + 1);
    text->length += length;
}

void text_add_list(struct text *text, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    reserve(text, 120); /* most pieces fit: then they are formatted once */
    size_t room = text->capacity - text->length;
    int length = vsnprintf(text->data + text->length, room, format, arguments);
    if ((size_t)length >= room) {
        reserve(text, (size_t)length);
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
    }
    va_end(again);
    text->length += (size_t)length;
}

void text_add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    text_add_list(text, format, arguments);
    va_end(arguments);
}

void text_put_word(struct text *text, const char *word) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "_-./=+:,@%";
    if (*word && !word[strspn(word, plain)]) {
        text_put(text, word);
        return;
    }
    text_put(text, "'");
    for (; *word; word++) text_add(text, *word == '\'' ? "'\\''" : "%c", *word);
    text_put(text, "'");
}

const char *text_string(const struct text *text) {
    return text->data ? text->data : "";
}
