/* model_read.c: runs a model file and turns what it returns into the layer graph (see model.h). */
#include "lua_modules.h"
#include "reader.h"
#include "suggest.h"
#include "../layers/families.h"

#include <ctype.h>
#include <lauxlib.h>
#include <math.h>
#include <string.h>

/* Offers the names that a model file can use; those in quotes come with their quotes. */
static const char *describe_unknown(lua_State *L, const char *given, int globals) {
    struct suggestion name = suggestion_for(given), text = suggestion_for(given);
    lua_pushnil(L);
    while (lua_next(L, globals)) {
        if (lua_type(L, -2) == LUA_TSTRING) suggestion_offer(&name, lua_tostring(L, -2));
        lua_pop(L, 1);
    }
    const char *const *lists[] = {activation_names(), initializer_names(), loss_names(),
                                  (const char *const[]){"same", "valid", "accuracy", NULL}};
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        for (int i = 0; lists[k][i]; i++) suggestion_offer(&text, lists[k][i]);
    if (text.best && text.distance < name.distance)
        return lua_pushfstring(L, "unknown name %s; did you mean the text \"%s\", in quotes?",
                               given, text.best);
    if (name.best) return lua_pushfstring(L, "unknown name %s; did you mean %s?", given, name.best);
    lua_pushfstring(L, "unknown name %s; it is no variable, nor one of the layers ", given);
    for (const struct layer_type *const *type = layer_types(); *type; type++) {
        lua_pushfstring(L, "%s%s",
                        type == layer_types() ? ""
                        : type[1]             ? ", "
                                              : " and ",
                        (*type)->name);
        lua_concat(L, 2);
    }
    return lua_tostring(L, -1);
}

static int host_unknown_name(lua_State *L) {
    const char *given = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "?";
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushstring(L, describe_unknown(L, given, 2));
    return 1;
}

/* host.unknown_option(key, names [, what the key is: "option"]) */
static int host_unknown_option(lua_State *L) {
    const char *what = luaL_optstring(L, 3, "option");
    luaL_tolstring(L, 1, NULL); /* a number is no name, but can be shown */
    const char *given = lua_type(L, 1) == LUA_TTABLE ? "?" : lua_tostring(L, -1);
    struct suggestion suggestion = suggestion_for(given);
    for (int i = 1; i <= (int)lua_rawlen(L, 2); i++) { /* the table keeps the names alive */
        lua_rawgeti(L, 2, i);
        if (lua_type(L, -1) == LUA_TSTRING) suggestion_offer(&suggestion, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    lua_pushfstring(L, "unknown %s \"%s\"; ", what, given);
    if (suggestion.best) {
        lua_pushfstring(L, "did you mean %s?", suggestion.best);
        lua_concat(L, 2);
        return 1;
    }
    lua_pushstring(L, "it takes ");
    lua_concat(L, 2);
    int count = (int)lua_rawlen(L, 2);
    for (int i = 1; i <= count; i++) {
        lua_pushstring(L, i == 1 ? "" : i < count ? ", " : " and ");
        lua_rawgeti(L, 2, i);
        lua_concat(L, 3);
    }
    return 1;
}

static int host_tanh(lua_State *L) {
    lua_pushnumber(L, tanh(luaL_checknumber(L, 1)));
    return 1;
}

static int host_erf(lua_State *L) {
    lua_pushnumber(L, erf(luaL_checknumber(L, 1)));
    return 1;
}

void open_language(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"unknown_name", host_unknown_name},
        {"unknown_option", host_unknown_option},
        {"tanh", host_tanh},
        {"erf", host_erf},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
    lua_newtable(L);
    for (const struct layer_type *const *type = layer_types(); *type; type++) {
        lua_pushstring(L, "layer");
        lua_setfield(L, -2, (*type)->name);
    }
    for (const struct optimizer_type *type = optimizer_types(); type->name; type++) {
        lua_pushstring(L, "optimizer");
        lua_setfield(L, -2, type->name);
    }
    for (const struct schedule_type *type = schedule_types(); type->name; type++) {
        lua_pushstring(L, "schedule");
        lua_setfield(L, -2, type->name);
    }
    for (const struct callback_type_options *type = callback_types(); type->name; type++) {
        lua_pushstring(L, "callback");
        lua_setfield(L, -2, type->name);
    }
    lua_setfield(L, -2, "kinds");
    sandbox_load_module(L, lua_module_nn);
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    sandbox_load_module(L, lua_module_sweep);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    lua_call(L, 2, 1);
    lua_remove(L, -3);
}

/* Names become part of names in C. */
static bool is_identifier(const char *name) {
    if (!isalpha((unsigned char)*name) && *name != '_') return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_') return false;
    return strlen(name) <= 60;
}

static const char wrong_name[] = "its name is not usable in C; use letters, digits and _, at most "
                                 "60, not beginning with a digit";

/* A name as a message shows it. */
static const char *unquoted(struct arena *arena, const char *name) {
    const char *text = quoted(arena, name);
    return arena_format(arena, "%.*s", (int)strlen(text) - 2, text + 1);
}

static struct subject layer_subject(const struct layer *layer) {
    return (struct subject){
        .file = layer->file, .line = layer->line, .kind = layer->type->name, .name = layer->name};
}

/* Reads the `name` option of the layer described on top of the stack, if there is one. */
static bool read_name(const struct reader *reader, struct layer *layer) {
    lua_State *L = reader->L;
    struct subject subject = layer_subject(layer);
    lua_getfield(L, -1, "options");
    lua_pushstring(L, "name");
    lua_rawget(L, -2);
    bool good = true;
    if (lua_type(L, -1) == LUA_TSTRING) {
        const char *name = lua_tostring(L, -1);
        subject.name = unquoted(reader->arena, name);
        if (!is_identifier(name) || strlen(name) != lua_rawlen(L, -1))
            good = subject_error(reader, &subject, "%s", wrong_name);
        layer->name = arena_string(reader->arena, name);
    } else if (!lua_isnil(L, -1)) {
        good = subject_error(reader, &subject, "name is %s; use a text, as name = \"first\"",
                             value_text(reader, -1));
    }
    lua_pop(L, 2);
    return good;
}

static struct layer *find_layer(const struct model *model, const char *name) {
    for (int i = 0; i < model->layer_count; i++)
        if (model->layers[i]->name && strcmp(model->layers[i]->name, name) == 0)
            return model->layers[i];
    return NULL;
}

/* Gives names to the layers that have none, as Keras counts: "conv2d", "conv2d_1", ... */
static bool name_layers(const struct reader *reader, const struct model *model) {
    for (int i = 0; i < model->layer_count; i++) {
        struct layer *layer = model->layers[i];
        struct layer *first = layer->name ? find_layer(model, layer->name) : layer;
        struct subject subject = layer_subject(layer);
        if (first != layer)
            return subject_error(reader, &subject,
                                 "its name is already that of %s (line %d); give it another one",
                                 first->type->name, first->line);
    }
    for (int i = 0; i < model->layer_count; i++) {
        struct layer *layer = model->layers[i];
        const char *name = layer->type->name;
        int number = 0;
        for (int k = 0; k < i; k++) number += model->layers[k]->type == layer->type;
        if (layer->name) continue;
        if (number) name = arena_format(reader->arena, "%s_%d", layer->type->name, number);
        while (find_layer(model, name))
            name = arena_format(reader->arena, "%s_%d", layer->type->name, ++number);
        layer->name = name;
    }
    return true;
}

/* The layers in `layers` of the description on top of the stack: kinds, places, names, inputs. */
static bool read_layers(const struct reader *reader, struct model *model) {
    lua_State *L = reader->L;
    lua_getfield(L, -1, "layers");
    model->layer_count = (int)lua_rawlen(L, -1);
    model->layers = ARENA_ARRAY(reader->arena, struct layer *, model->layer_count);
    for (int i = 0; i < model->layer_count; i++)
        model->layers[i] = ARENA_NEW(reader->arena, struct layer);
    for (int i = 0; i < model->layer_count; i++) {
        struct layer *layer = model->layers[i];
        lua_rawgeti(L, -1, i + 1);
        layer->type = layer_type_find(text_field(reader, "kind"));
        layer->file = text_field(reader, "file");
        layer->line = (int)integer_field(reader, "line");
        layer->number = i;
        lua_getfield(L, -1, "inputs");
        layer->input_count = (int)lua_rawlen(L, -1);
        layer->inputs = ARENA_ARRAY(reader->arena, struct layer *, layer->input_count);
        for (int k = 0; k < layer->input_count; k++) {
            lua_rawgeti(L, -1, k + 1);
            layer->inputs[k] = model->layers[lua_tointeger(L, -1) - 1];
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
        if (!read_name(reader, layer)) return false;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return name_layers(reader, model);
}

static bool check_input_count(const struct reader *reader, const struct layer *layer) {
    const struct layer_type *type = layer->type;
    struct subject subject = layer_subject(layer);
    if (layer->input_count < type->least_inputs)
        return subject_error(reader, &subject,
                             "it has %d input, but takes at least %d; call it with a list of "
                             "layers: %s {} { x, y }",
                             layer->input_count, type->least_inputs, type->name);
    if (layer->input_count > type->most_inputs)
        return subject_error(reader, &subject,
                             "it has %d inputs, but takes %d; join them with add {} { x, y } or "
                             "concatenate {} { x, y }",
                             layer->input_count, type->most_inputs);
    return true;
}

/* Options and shape of the layer described on top of the stack. */
static bool read_layer(const struct reader *reader, struct layer *layer) {
    static const struct option common = {"trainable", OPTION_BOOLEAN,
                                         offsetof(struct layer, trainable), "true", false};
    static const char *const also[] = {"name", "trainable", NULL};
    lua_State *L = reader->L;
    const struct layer_type *type = layer->type;
    struct subject subject = layer_subject(layer);
    lua_getfield(L, -1, "options");
    layer->trainable = true;
    lua_pushstring(L, common.name);
    if (lua_rawget(L, -2) != LUA_TNIL && !read_value(reader, &subject, &common, layer))
        return false;
    lua_pop(L, 1);
    if (!read_options(reader, &subject, -1, type->options, type->option_count, also, layer))
        return false;
    lua_pop(L, 1);
    return check_input_count(reader, layer) && type->infer_shape(layer, reader->error) &&
           check_elements(layer, layer->output.size, layer->output.rank, "values", reader->error);
}

static bool read_model(const struct reader *reader, struct model *model) {
    lua_State *L = reader->L;
    model->name = text_field(reader, "name");
    model->file = text_field(reader, "file");
    model->line = (int)integer_field(reader, "line");
    struct subject subject = {.file = model->file,
                              .line = model->line,
                              .kind = "model",
                              .name = unquoted(reader->arena, model->name)};
    if (!is_identifier(model->name)) return subject_error(reader, &subject, "%s", wrong_name);
    if (!read_layers(reader, model)) return false;
    lua_getfield(L, -1, "layers");
    for (int i = 0; i < model->layer_count; i++) {
        lua_rawgeti(L, -1, i + 1);
        if (!read_layer(reader, model->layers[i])) return false;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    model->input = model->layers[integer_field(reader, "input") - 1];
    model->output = model->layers[integer_field(reader, "output") - 1];
    lua_getfield(L, -1, "training");
    return read_training(reader, model) && loss_check(model, reader->error);
}

static void open_reader(struct reader *reader, lua_State *L) {
    reader->L = L;
    sandbox_open(L);
    open_language(L);
    reader->language = lua_gettop(L) - 1;
}

/* The whole work, in protected mode: opens the language, runs the file, reads its model. */
static int read_protected(lua_State *L) {
    struct reader *reader = lua_touserdata(L, 1);
    open_reader(reader, L);
    lua_getfield(L, reader->language, "describe");
    lua_getfield(L, reader->language + 1, "pick");
    sandbox_load_model(reader->sandbox, L);
    lua_call(L, 0, 1);
    if (reader->point && !push_point(reader)) return 0;
    lua_call(L, reader->point ? 2 : 1, 1);
    lua_call(L, 1, 1);
    struct model *model = ARENA_NEW(reader->arena, struct model);
    if (!read_model(reader, model)) return 0;
    model->sources = sandbox_sources(reader->sandbox, &model->source_count);
    model->point = reader->point ? arena_string(reader->arena, reader->point) : NULL;
    reader->model = model;
    return 0;
}

/* In protected mode, and so that nothing of Lua stays when the arena is exhausted. */
bool reader_run(struct reader *reader, const char *path, lua_CFunction read) {
    struct arena *arena = reader->arena;
    reader->sandbox = sandbox_new(arena, path, reader->error);
    if (!reader->sandbox) return false;
    /* When the arena is exhausted inside Lua, the state must be closed before the jump goes on. */
    struct sandbox *volatile sandbox = reader->sandbox;
    jmp_buf owner;
    memcpy(&owner, &arena->exhausted, sizeof owner);
    if (setjmp(arena->exhausted)) {
        memcpy(&arena->exhausted, &owner, sizeof owner);
        sandbox_free(sandbox);
        longjmp(arena->exhausted, 1);
    }
    bool good = sandbox_run(reader->sandbox, read, reader, reader->error);
    memcpy(&arena->exhausted, &owner, sizeof owner);
    sandbox_free(reader->sandbox);
    return good;
}

struct model *model_read(struct arena *arena, const char *path, struct error *error) {
    return model_read_point(arena, path, NULL, error);
}

struct model *model_read_point(struct arena *arena, const char *path, const char *point,
                               struct error *error) {
    struct reader reader = {.arena = arena, .error = error, .point = point};
    return reader_run(&reader, path, read_protected) ? reader.model : NULL;
}

/* A list of callbacks as it stands on a command line. */
struct callbacks_reader {
    struct reader reader; /* comes first */
    const char *name, *text;
    struct callback_list list;
    bool good;
};

static int read_callbacks_protected(lua_State *L) {
    struct callbacks_reader *callbacks = lua_touserdata(L, 1);
    struct reader *reader = &callbacks->reader;
    struct subject subject = {.file = callbacks->name, .line = 1, .kind = "callbacks"};
    open_reader(reader, L);
    sandbox_load_text(reader->sandbox, L, callbacks->name, callbacks->text,
                      strlen(callbacks->text));
    lua_call(L, 0, 1);
    callbacks->good = read_callbacks(reader, &subject, &callbacks->list);
    return 0;
}

bool model_read_callbacks(struct arena *arena, const char *name, const char *text,
                          struct callback_list *list, struct error *error) {
    struct callbacks_reader callbacks = {
        .reader = {.arena = arena, .error = error},
        .name = arena_string(arena, name),
        .text = arena_format(arena, "return { %s\n}", text),
    };
    if (!reader_run(&callbacks.reader, name, read_callbacks_protected)) return false;
    *list = callbacks.list;
    return callbacks.good;
}
