/* read_options.c: reads a Lua table by a table of options (see layers/layer.h). */
#include "reader.h"
#include "suggest.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

bool subject_error(const struct reader *reader, const struct subject *subject, const char *format,
                   ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (subject->name)
        return error_set(reader->error, "%s:%d: %s \"%s\": %s", subject->file, subject->line,
                         subject->kind, subject->name, message);
    return error_set(reader->error, "%s:%d: %s: %s", subject->file, subject->line, subject->kind,
                     message);
}

struct subject subject_at_key(const struct reader *reader, const struct subject *subject,
                              const char *key) {
    struct subject at = *subject;
    if (at.by_key) at.line = sandbox_find_key(reader->sandbox, at.file, at.line, key);
    return at;
}

const char *quoted(struct arena *arena, const char *string) {
    const size_t longest = 60;
    size_t length = strlen(string);
    bool cut = length > longest;
    if (cut) length = longest;
    char *text = arena_format(arena, "\"%.*s%s\"", (int)length, string, cut ? "..." : "");
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c)) *c = '?';
    return text;
}

const char *push_private(const struct reader *reader, int index) {
    lua_State *L = reader->L;
    index = lua_absindex(L, index);
    if (!lua_istable(L, index)) return NULL;
    luaL_checkstack(L, 8, NULL);
    lua_getfield(L, reader->language, "private");
    lua_pushvalue(L, index);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (lua_istable(L, -1)) return text_field(reader, "type");
    lua_pop(L, 1);
    return NULL;
}

const char *text_field(const struct reader *reader, const char *name) {
    lua_State *L = reader->L;
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    text = arena_string(reader->arena, text);
    lua_pop(L, 1);
    return text;
}

long integer_field(const struct reader *reader, const char *name) {
    lua_State *L = reader->L;
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    long value = (long)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

/* A short list of numbers and texts as it is written; else "a table". */
static const char *table_text(const struct reader *reader, int index) {
    lua_State *L = reader->L;
    struct text text = {.arena = reader->arena};
    int count = (int)lua_rawlen(L, index);
    if (count == 0 || count > 6) return "a table";
    for (int i = 1; i <= count; i++) {
        int type = lua_rawgeti(L, index, i);
        const char *value = type == LUA_TNUMBER   ? value_text(reader, -1)
                            : type == LUA_TSTRING ? quoted(reader->arena, lua_tostring(L, -1))
                                                  : NULL;
        lua_pop(L, 1);
        if (!value) return "a table";
        text_add(&text, "%s%s", i == 1 ? "{ " : ", ", value);
    }
    text_put(&text, " }");
    return text_string(&text);
}

const char *value_text(const struct reader *reader, int index) {
    lua_State *L = reader->L;
    index = lua_absindex(L, index);
    switch (lua_type(L, index)) {
    case LUA_TNIL: return "nothing";
    case LUA_TBOOLEAN: return lua_toboolean(L, index) ? "true" : "false";
    case LUA_TSTRING:
        return arena_format(reader->arena, "the text %s",
                            quoted(reader->arena, lua_tostring(L, index)));
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            return arena_format(reader->arena, "%lld", (long long)lua_tointeger(L, index));
        return arena_format(reader->arena, "%.14g", lua_tonumber(L, index));
    default: break;
    }
    const char *type = push_private(reader, index);
    if (!type && lua_istable(L, index)) return table_text(reader, index);
    if (!type) return arena_format(reader->arena, "a %s", luaL_typename(L, index));
    const char *kind = text_field(reader, "kind");
    lua_pop(L, 1);
    return *kind ? arena_format(reader->arena, "the %s %s", type, kind)
                 : arena_format(reader->arena, "a %s", type);
}

bool unknown_name(const struct reader *reader, const struct subject *subject, const char *what,
                  const char *given, const char *const *names, const char *besides) {
    struct suggestion suggestion = suggestion_for(given);
    struct text all = {.arena = reader->arena};
    for (int i = 0; names[i]; i++) {
        suggestion_offer(&suggestion, names[i]);
        text_add(&all, "%s%s", i == 0 ? "" : names[i + 1] ? ", " : " or ", names[i]);
    }
    const char *name = quoted(reader->arena, given);
    if (suggestion.best)
        return subject_error(reader, subject, "%s %s is unknown; did you mean \"%s\"?", what, name,
                             suggestion.best);
    return subject_error(reader, subject, "%s %s is unknown; use %s%s", what, name,
                         text_string(&all), besides);
}

/* "filters, kernel_size, name and trainable" */
static const char *option_names(const struct reader *reader, const struct option *options,
                                int count, const char *const *also) {
    struct text all = {.arena = reader->arena};
    for (int i = 0; i < count; i++) text_add(&all, "%s%s", i ? ", " : "", options[i].name);
    for (int i = 0; also[i]; i++)
        text_add(&all, "%s%s", !all.length ? "" : also[i + 1] ? ", " : " and ", also[i]);
    return text_string(&all);
}

static bool unknown_option(const struct reader *reader, const struct subject *subject,
                           const char *key, const struct option *options, int count,
                           const char *const *also) {
    struct suggestion suggestion = suggestion_for(key);
    for (int i = 0; i < count; i++) suggestion_offer(&suggestion, options[i].name);
    for (int i = 0; also[i]; i++) suggestion_offer(&suggestion, also[i]);
    struct subject at = subject_at_key(reader, subject, key);
    const char *name = quoted(reader->arena, key);
    if (suggestion.best)
        return subject_error(reader, &at, "unknown option %s; did you mean %s?", name,
                             suggestion.best);
    return subject_error(reader, &at, "unknown option %s; it takes %s", name,
                         option_names(reader, options, count, also));
}

static const struct option *positional_option(const struct option *options, int count) {
    for (int i = 0; i < count; i++)
        if (options[i].positional) return &options[i];
    return NULL;
}

static bool is_shape(const struct option *option) {
    return option->kind == OPTION_SHAPE || option->kind == OPTION_SHAPE_FREE;
}

/* Checks that every key of the table is an option, or a value that may stand without its name. */
static bool check_keys(const struct reader *reader, const struct subject *subject, int index,
                       const struct option *options, int count, const char *const *also) {
    lua_State *L = reader->L;
    const struct option *positional = positional_option(options, count);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            const char *key = lua_tostring(L, -2);
            bool known = false;
            for (int i = 0; i < count; i++) known = known || strcmp(options[i].name, key) == 0;
            for (int i = 0; also[i]; i++) known = known || strcmp(also[i], key) == 0;
            if (!known) return unknown_option(reader, subject, key, options, count, also);
        } else if (!lua_isinteger(L, -2)) {
            return subject_error(reader, subject, "%s is no name of an option",
                                 value_text(reader, -2));
        } else if (!positional) {
            return subject_error(reader, subject, "%s has no name; it takes %s",
                                 value_text(reader, -1),
                                 option_names(reader, options, count, also));
        } else if (lua_tointeger(L, -2) != 1 && !is_shape(positional)) {
            return subject_error(reader, subject,
                                 "%s has no name; only %s may stand first without its name",
                                 value_text(reader, -1), positional->name);
        }
        lua_pop(L, 1);
    }
    return true;
}

/* Pushes the value of an option: by name, by position, or its default. Pushes nil for an option
 * that may stay as it is. */
static bool push_option(const struct reader *reader, const struct subject *subject, int index,
                        const struct option *option) {
    lua_State *L = reader->L;
    lua_pushstring(L, option->name);
    lua_rawget(L, index);
    if (option->positional && lua_rawgeti(L, index, 1) != LUA_TNIL) {
        if (!lua_isnil(L, -2)) {
            struct subject at = subject_at_key(reader, subject, option->name);
            return subject_error(reader, &at, "%s is given twice, as the first value and by name",
                                 option->name);
        }
        if (is_shape(option) && !lua_istable(L, -1)) lua_pushvalue(L, index);
        lua_replace(L, -2);
        return true;
    }
    if (option->positional) lua_pop(L, 1);
    if (!lua_isnil(L, -1)) return true;
    if (!option->default_value)
        return subject_error(reader, subject, "%s is missing; give it %s", option->name,
                             option_expects(option));
    if (!*option->default_value) return true;
    lua_pop(L, 1);
    const char *code = lua_pushfstring(L, "return %s", option->default_value);
    sandbox_load_module(L, code);
    lua_remove(L, -2);
    lua_call(L, 0, 1);
    return true;
}

bool read_options(const struct reader *reader, const struct subject *subject, int index,
                  const struct option *options, int count, const char *const *also, void *record) {
    lua_State *L = reader->L;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 16, NULL);
    if (!check_keys(reader, subject, index, options, count, also)) return false;
    int top = lua_gettop(L);
    for (int i = 0; i < count; i++) {
        if (!push_option(reader, subject, index, &options[i])) return false;
        struct subject at = subject_at_key(reader, subject, options[i].name);
        if (!lua_isnil(L, -1) && !read_value(reader, &at, &options[i], record)) return false;
        lua_settop(L, top);
    }
    return true;
}
