/* read_values.c: reads one Lua value by the kind of its option. */
#include "reader.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

const char *option_expects(const struct option *option) {
    switch (option->kind) {
    case OPTION_COUNT: return "a whole number of at least 1";
    case OPTION_SEED: return "a whole number from 0 to 4294967295";
    case OPTION_PAIR: return "a whole number of at least 1, or a pair of them { height, width }";
    case OPTION_FRACTION: return "a number of at least 0 and below 1";
    case OPTION_NUMBER: return "a finite number";
    case OPTION_POSITIVE: return "a number above 0";
    case OPTION_NOT_NEGATIVE: return "a number of at least 0";
    case OPTION_BOOLEAN: return "true or false";
    case OPTION_PADDING: return "\"valid\" or \"same\"";
    case OPTION_ACTIVATION: return "the name of an activation, as \"relu\", or a Lua function";
    case OPTION_INITIALIZER:
        return "the name of an initializer, as \"glorot_uniform\", or constant { value }";
    case OPTION_SHAPE: return "one to five sizes, as { 28, 28, 1 }";
    case OPTION_SHAPE_FREE: return "one to five sizes, as { 28, 28, 1 }; one may be -1";
    case OPTION_AXIS: return "the whole number of an axis; -1 is the last one";
    case OPTION_NUMBERS: return "a list of numbers, as { 1000, 2000 }";
    case OPTION_LEARNING_RATE:
        return "a number above 0, exponential_decay { ... } or a Lua function of the step";
    case OPTION_LOSS:
        return "the name of a loss, as \"sparse_categorical_crossentropy\", or a Lua function";
    case OPTION_OPTIMIZER: return "an optimizer, as adam { learning_rate = 1e-3 }";
    case OPTION_WHOLE: return "a whole number of at least 0";
    case OPTION_PART: return "a number above 0 and below 1";
    case OPTION_METRIC: return "\"loss\", \"accuracy\", \"val_loss\" or \"val_accuracy\"";
    case OPTION_MONITOR_MODE: return "\"auto\", \"min\" or \"max\"";
    case OPTION_FILE: return "a path below the directory of the run, as \"logs\", without ..";
    case OPTION_LETTER: return "a text of one character";
    case OPTION_UPDATE_FREQ: return "\"epoch\", \"batch\" or a number of batches, at least 1";
    case OPTION_CALLBACKS: return "a list of callbacks, as { early_stopping { patience = 5 } }";
    case OPTION_AUGMENTATION:
        return "a table, as { width_shift_range = 2, horizontal_flip = true }";
    case OPTION_FILL_MODE: return "\"nearest\" or \"constant\"";
    case OPTION_METRICS: return "{ \"accuracy\" } or {}";
    }
    return "";
}

static bool wrong_value(const struct reader *reader, const struct subject *subject,
                        const struct option *option) {
    return subject_error(reader, subject, "%s is %s; use %s", option->name, value_text(reader, -1),
                         option_expects(option));
}

/* A whole number on top of the stack, in [least, INT_MAX]; texts do not count as numbers. */
static bool whole_number(lua_State *L, long least, long most, long *number) {
    int is_integer;
    long value = (long)lua_tointegerx(L, -1, &is_integer);
    if (lua_type(L, -1) != LUA_TNUMBER || !is_integer || value < least || value > most)
        return false;
    *number = value;
    return true;
}

static bool finite_number(lua_State *L, double *number) {
    *number = lua_tonumber(L, -1);
    return lua_type(L, -1) == LUA_TNUMBER && isfinite(*number);
}

static bool read_pair(const struct reader *reader, long pair[2]) {
    lua_State *L = reader->L;
    if (whole_number(L, 1, INT_MAX, &pair[0])) {
        pair[1] = pair[0];
        return true;
    }
    if (!lua_istable(L, -1) || lua_rawlen(L, -1) != 2) return false;
    for (int i = 0; i < 2; i++) {
        lua_rawgeti(L, -1, i + 1);
        bool good = whole_number(L, 1, INT_MAX, &pair[i]);
        lua_pop(L, 1);
        if (!good) return false;
    }
    return true;
}

/* A list of sizes, without the batch. With `open`, one may be -1. */
static bool read_shape(const struct reader *reader, bool open, struct shape *shape) {
    lua_State *L = reader->L;
    if (!lua_istable(L, -1)) return false;
    size_t rank = lua_rawlen(L, -1);
    if (rank < 1 || rank > MAX_RANK - 1) return false;
    *shape = (struct shape){.rank = (int)rank};
    for (int i = 0; i < shape->rank; i++) {
        lua_rawgeti(L, -1, i + 1);
        bool good = whole_number(L, 1, INT_MAX, &shape->size[i]);
        if (!good && open && whole_number(L, -1, INT_MAX, &shape->size[i]) &&
            shape->size[i] == -1) {
            open = false;
            good = true;
        }
        lua_pop(L, 1);
        if (!good) return false;
    }
    return true;
}

static bool read_numbers(const struct reader *reader, struct number_list *list) {
    lua_State *L = reader->L;
    if (!lua_istable(L, -1) || lua_rawlen(L, -1) > MAX_NUMBERS) return false;
    list->count = (int)lua_rawlen(L, -1);
    for (int i = 0; i < list->count; i++) {
        lua_rawgeti(L, -1, i + 1);
        bool good = finite_number(L, &list->value[i]);
        lua_pop(L, 1);
        if (!good) return false;
    }
    return list->count > 0;
}

/* "accuracy", { "accuracy" } or {} */
static bool read_metrics(const struct reader *reader, bool *accuracy) {
    lua_State *L = reader->L;
    if (lua_istable(L, -1)) {
        if (lua_rawlen(L, -1) > 1) return false;
        if (lua_rawgeti(L, -1, 1) == LUA_TNIL) {
            lua_pop(L, 1);
            lua_pushnil(L);
            *accuracy = false;
            return !lua_next(L, -2);
        }
        bool good = lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "accuracy") == 0;
        lua_pop(L, 1);
        *accuracy = true;
        return good;
    }
    *accuracy = true;
    return lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "accuracy") == 0;
}

static bool read_padding(const struct reader *reader, enum padding *padding) {
    lua_State *L = reader->L;
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    *padding = strcmp(name, "same") == 0 ? PADDING_SAME : PADDING_VALID;
    return *padding == PADDING_SAME || strcmp(name, "valid") == 0;
}

/* The position of the text on top of the stack in a list that ends with NULL; -1: not there. */
static int read_choice(lua_State *L, const char *const *choices) {
    const char *given = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], given) == 0) return i;
    return -1;
}

static bool read_metric(lua_State *L, enum metric *metric) {
    const char *names[METRICS + 1] = {NULL};
    for (int i = 0; i < METRICS; i++) names[i] = metric_name((enum metric)i);
    int choice = read_choice(L, names);
    *metric = choice >= 0 ? (enum metric)choice : METRIC_LOSS;
    return choice >= 0;
}

const char *const *monitor_mode_names(void) {
    static const char *const names[] = {"auto", "min", "max", NULL};
    return names;
}

static bool read_monitor_mode(lua_State *L, enum monitor_mode *mode) {
    int choice = read_choice(L, monitor_mode_names());
    *mode = choice >= 0 ? (enum monitor_mode)choice : MONITOR_AUTO;
    return choice >= 0;
}

const char *const *fill_mode_names(void) {
    static const char *const names[] = {"nearest", "constant", NULL};
    return names;
}

static bool read_fill_mode(lua_State *L, enum fill_mode *mode) {
    int choice = read_choice(L, fill_mode_names());
    *mode = choice == 1 ? FILL_CONSTANT : FILL_NEAREST;
    return choice >= 0;
}

/* A model file is untrusted: its paths stay below the directory of the run. */
static bool read_file_path(const struct reader *reader, const char **path) {
    lua_State *L = reader->L;
    if (lua_type(L, -1) != LUA_TSTRING) return false;
    const char *text = *path = arena_string(reader->arena, lua_tostring(L, -1));
    if (!*text || *text == '/' || strlen(text) != lua_rawlen(L, -1) || strlen(text) > 200)
        return false;
    for (const char *part = text; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2])) return false;
    }
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) return false;
    return true;
}

static bool read_update_freq(lua_State *L, long *steps) {
    static const char *const names[] = {"epoch", "batch", NULL};
    if (lua_type(L, -1) == LUA_TNUMBER) return whole_number(L, 1, INT_MAX, steps);
    *steps = read_choice(L, names);
    return *steps >= 0;
}

static bool read_letter(lua_State *L, char *letter) {
    if (lua_type(L, -1) != LUA_TSTRING || lua_rawlen(L, -1) != 1) return false;
    *letter = *lua_tostring(L, -1);
    return *letter != '\n' && *letter != '\0';
}

static bool read_initializer(const struct reader *reader, const struct subject *subject,
                             const struct option *option, struct initializer *initializer) {
    static const struct option constant[] = {{"value", OPTION_NUMBER, 0, NULL, true}};
    static const char *const none[] = {NULL};
    lua_State *L = reader->L;
    if (lua_type(L, -1) == LUA_TSTRING) {
        const char *const *names = initializer_names(), *given = lua_tostring(L, -1);
        for (int i = 0; names[i]; i++)
            if (strcmp(names[i], given) == 0) initializer->name = names[i];
        if (!initializer->name)
            return unknown_name(reader, subject, option->name, given, names,
                                ", or constant { value }");
        if (strcmp(given, "constant") != 0) return true;
        return subject_error(reader, subject, "%s has no value; use constant { value }",
                             option->name);
    }
    const char *type = push_private(reader, -1);
    if (!type || strcmp(type, "initializer") != 0) {
        if (type) lua_pop(L, 1);
        return wrong_value(reader, subject, option);
    }
    struct subject inner = {.file = text_field(reader, "file"),
                            .line = (int)integer_field(reader, "line"),
                            .kind = "constant"};
    initializer->name = "constant";
    lua_getfield(L, -1, "options");
    return read_options(reader, &inner, -1, constant, 1, none, &initializer->value);
}

bool read_value(const struct reader *reader, const struct subject *subject,
                const struct option *option, void *record) {
    lua_State *L = reader->L;
    void *field = (char *)record + option->field;
    double *number = field;
    bool good = false;
    switch (option->kind) {
    case OPTION_COUNT: good = whole_number(L, 1, INT_MAX, field); break;
    case OPTION_SEED: good = whole_number(L, 0, UINT32_MAX, field); break;
    case OPTION_AXIS: good = whole_number(L, -MAX_RANK, INT_MAX, field); break;
    case OPTION_PAIR: good = read_pair(reader, field); break;
    case OPTION_FRACTION: good = finite_number(L, number) && *number >= 0 && *number < 1; break;
    case OPTION_NUMBER: good = finite_number(L, number); break;
    case OPTION_POSITIVE: good = finite_number(L, number) && *number > 0; break;
    case OPTION_NOT_NEGATIVE: good = finite_number(L, number) && *number >= 0; break;
    case OPTION_BOOLEAN:
        good = lua_isboolean(L, -1);
        *(bool *)field = lua_toboolean(L, -1);
        break;
    case OPTION_PADDING: good = read_padding(reader, field); break;
    case OPTION_SHAPE: good = read_shape(reader, false, field); break;
    case OPTION_SHAPE_FREE: good = read_shape(reader, true, field); break;
    case OPTION_NUMBERS: good = read_numbers(reader, field); break;
    case OPTION_WHOLE: good = whole_number(L, 0, INT_MAX, field); break;
    case OPTION_PART: good = finite_number(L, number) && *number > 0 && *number < 1; break;
    case OPTION_METRIC: good = read_metric(L, field); break;
    case OPTION_MONITOR_MODE: good = read_monitor_mode(L, field); break;
    case OPTION_FILE: good = read_file_path(reader, field); break;
    case OPTION_LETTER: good = read_letter(L, field); break;
    case OPTION_FILL_MODE: good = read_fill_mode(L, field); break;
    case OPTION_UPDATE_FREQ: good = read_update_freq(L, field); break;
    case OPTION_AUGMENTATION: return read_augmentation(reader, subject, field);
    case OPTION_CALLBACKS: return read_callbacks(reader, subject, field);
    case OPTION_METRICS: good = read_metrics(reader, field); break;
    case OPTION_INITIALIZER: return read_initializer(reader, subject, option, field);
    case OPTION_OPTIMIZER: return read_optimizer(reader, subject, field);
    case OPTION_LEARNING_RATE: return read_learning_rate(reader, subject, field);
    case OPTION_ACTIVATION:
        if (lua_type(L, -1) != LUA_TSTRING && !lua_isfunction(L, -1)) break;
        return read_function(reader, subject, option->name, activation_names(), 1, field);
    case OPTION_LOSS:
        if (lua_type(L, -1) != LUA_TSTRING && !lua_isfunction(L, -1)) break;
        return read_function(reader, subject, option->name, loss_names(), 2, field);
    }
    return good || wrong_value(reader, subject, option);
}
