/* class_names.c: names of classes: known ones, as text, and in weights (see class_names.h). */
#include "class_names.h"
#include "files.h"
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20 };

static const char *const mnist[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
static const char *const fashion_mnist[] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                            "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                            "Bag",         "Ankle boot"};

struct class_names class_names_known(const char *dataset) {
    if (strcmp(dataset, "mnist") == 0) return (struct class_names){10, mnist, NULL};
    if (strcmp(dataset, "fashion-mnist") == 0) return (struct class_names){10, fashion_mnist, NULL};
    return (struct class_names){0, NULL, NULL};
}

/* Bytes of the UTF-8 character at text; 0 when it is none, or a control character. */
static size_t character_length(const unsigned char *text) {
    size_t length = *text < 0x80 ? 1 : *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : 2;

    if (*text < 0x20 || *text == 0x7f || (*text >= 0x80 && *text < 0xc2) || *text > 0xf4) return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    return length;
}

static bool check_name(char *const *names, int number, const char *where, struct error *error) {
    const char *name = names[number];

    if (!*name) return error_set(error, "%s:%d: the name of a class is empty", where, number + 1);
    for (const unsigned char *c = (const unsigned char *)name; *c;) {
        size_t length = character_length(c);
        if (!length)
            return error_set(error, "%s:%d: the name of a class must be printable UTF-8", where,
                             number + 1);
        c += length;
    }
    for (int i = 0; i < number; i++)
        if (strcmp(names[i], name) == 0)
            return error_set(error, "%s:%d: \"%s\" is the name of class %d already", where,
                             number + 1, name, i);
    return true;
}

bool class_names_parse(const char *text, const char *where, struct class_names *names,
                       struct error *error) {
    size_t size = strlen(text), lines = 1;

    *names = (struct class_names){0, NULL, NULL};
    if (size > MOST_BYTES)
        return error_set(error, "%s: is larger than any list of classes should be (1 MiB)", where);
    for (size_t i = 0; i + 1 < size; i++) lines += text[i] == '\n';
    char **list = malloc(lines * sizeof *list + size + 1);
    if (!list) return error_set(error, "%s: out of memory", where);
    char *rest = memcpy((char *)(list + lines), text, size + 1);
    if (size && rest[size - 1] == '\n') rest[size - 1] = '\0';
    while (rest) {
        char *name = list[names->count] = strsep(&rest, "\n");
        size_t length = strlen(name);
        if (length && name[length - 1] == '\r') name[length - 1] = '\0';
        if (!check_name(list, names->count++, where, error)) {
            free(list);
            return false;
        }
    }
    names->owned = list;
    names->names = (const char *const *)list;
    return true;
}

bool class_names_read(const char *path, struct class_names *names, struct error *error) {
    size_t size;
    char *text = files_read(path, &size, error);

    if (!text) return false;
    /* Editors that put a byte order mark in front do not show it. */
    size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    bool read = strlen(text) == size ? class_names_parse(text + mark, path, names, error)
                                     : error_set(error, "%s: is not a text file", path);
    free(text);
    return read;
}

bool class_names_from_weights(const char *path, int count, struct class_names *names) {
    struct safetensors *file = safetensors_open(path, NULL);
    const char *text = file ? safetensors_metadata(file, "class_names") : NULL;
    bool found = text && class_names_parse(text, path, names, NULL);

    safetensors_close(file);
    if (found && names->count == count) return true;
    if (found) class_names_free(names);
    *names = (struct class_names){0, NULL, NULL};
    return false;
}

char *class_names_text(const char *const *names, int count) {
    size_t size = 1;

    for (int i = 0; i < count; i++) size += strlen(names[i]) + 1;
    char *text = malloc(size), *end = text;
    if (!text) return NULL;
    for (int i = 0; i < count; i++) {
        if (i) *end++ = '\n';
        end = stpcpy(end, names[i]);
    }
    *end = '\0';
    return text;
}

bool class_names_save(const char *directory, const char *const *names, int count,
                      struct error *error) {
    char *path = files_join(directory, "classes.txt"), *text = class_names_text(names, count);
    bool saved = false;

    if (path && text)
        saved = files_write(path, (struct file_part[]){{text, strlen(text)}, {"\n", 1}}, 2, error);
    else
        error_set(error, "out of memory");
    free(path);
    free(text);
    return saved;
}

void class_names_free(struct class_names *names) {
    free(names->owned);
    *names = (struct class_names){0, NULL, NULL};
}
