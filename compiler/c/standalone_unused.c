/* standalone_unused.c: takes the helper functions that nothing calls out of a standalone source:
 * the prelude of a module holds them all, and not every compiler knows how to be silent about them.
 */
#include "standalone.h"

#include <ctype.h>
#include <string.h>

/* A helper: from the first line of its comment to behind its last line. */
struct helper {
    const char *begin, *end;
    const char *name;
    size_t length;
    bool is_used;
};

static const char *next_line(const char *line) {
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

/* The line before, or the same if there is none. */
static const char *line_before(const char *source, const char *line) {
    if (line == source) return line;
    line--;
    while (line > source && line[-1] != '\n') line--;
    return line;
}

static bool line_ends_with(const char *line, const char *text) {
    size_t length = (size_t)(next_line(line) - line), size = strlen(text);
    if (length && line[length - 1] == '\n') length--;
    return length >= size && !strncmp(line + length - size, text, size);
}

bool starts_helper(const char *line) {
    return !strncmp(line, "LATHE_INLINE ", 13) || !strncmp(line, "LATHE_FUNCTION ", 15) ||
           !strncmp(line, "LATHE_OUTLINE ", 14);
}

/* Back over the comment that stands right above a line. */
static const char *comment_above(const char *source, const char *line) {
    const char *above = line_before(source, line);
    if (above == line || !line_ends_with(above, "*/")) return line;
    while (above > source && strncmp(above, "/*", 2)) above = line_before(source, above);
    return above;
}

static struct helper helper_at(const char *source, const char *line) {
    struct helper helper = {.begin = comment_above(source, line)};
    const char *end = strchr(line, '(');
    helper.name = end;
    while (helper.name > line &&
           (isalnum((unsigned char)helper.name[-1]) || helper.name[-1] == '_'))
        helper.name--;
    helper.length = (size_t)(end - helper.name);
    if (!line_ends_with(line, "}"))
        while (*line && strncmp(line, "}\n", 2)) line = next_line(line);
    helper.end = next_line(line);
    if (*helper.end == '\n') helper.end++; /* the empty line behind it */
    return helper;
}

static bool is_part_of_name(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* True if the text between two places names the helper. */
static bool names(const char *begin, const char *end, const struct helper *helper) {
    for (const char *at = begin; at + helper->length <= end; at++) {
        at = memchr(at, helper->name[0], (size_t)(end - at));
        if (!at || at + helper->length > end) return false;
        if (!strncmp(at, helper->name, helper->length) && !is_part_of_name(at[helper->length]) &&
            (at == begin || !is_part_of_name(at[-1])))
            return true;
    }
    return false;
}

static int find_helpers(const char *source, struct helper *helpers, int most) {
    int count = 0;
    for (const char *line = source; *line && count < most;) {
        if (!starts_helper(line)) {
            line = next_line(line);
            continue;
        }
        helpers[count] = helper_at(source, line);
        line = helpers[count++].end;
    }
    return count;
}

/* A function is defined before its callers, so from the last to the first. */
static void find_uses(struct helper *helpers, int count, const char *module,
                      const char *functions) {
    const char *rest = helpers[count - 1].end;
    for (int i = count - 1; i >= 0; i--) {
        struct helper *h = &helpers[i];
        h->is_used = names(rest, module + strlen(module), h) ||
                     names(functions, functions + strlen(functions), h);
        for (int k = i + 1; k < count && !h->is_used; k++)
            h->is_used = helpers[k].is_used && names(helpers[k].begin, helpers[k].end, h);
    }
}

const char *without_unused(struct arena *arena, const char *module, const char *functions) {
    enum { MOST = 512 };
    struct helper *helpers = ARENA_ARRAY(arena, struct helper, MOST);
    struct text text = {.arena = arena};
    int count = find_helpers(module, helpers, MOST);
    if (!count) return module;
    find_uses(helpers, count, module, functions);
    const char *from = module;
    for (int i = 0; i < count; i++) {
        if (helpers[i].is_used) continue;
        text_add(&text, "%.*s", (int)(helpers[i].begin - from), from);
        from = helpers[i].end;
    }
    text_put(&text, from);
    return text_string(&text);
}
