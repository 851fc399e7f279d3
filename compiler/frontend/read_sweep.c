/* read_sweep.c: runs a sweep file and turns what it returns into a struct sweep; points as tables.
 * What a user may get wrong is checked by sweep.lua. */
#include "sweep.h"
#include "reader.h"
#include "../jit/digest.h"

#include <cjson/cJSON.h>
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_DEPTH = 2 }; /* a value may be a list */

/* --- the space --- */

static double number_field(const struct reader *reader, const char *name) {
    lua_State *L = reader->L;
    lua_pushstring(L, name);
    double number = lua_rawget(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
    lua_pop(L, 1);
    return number;
}

static bool boolean_field(const struct reader *reader, const char *name) {
    lua_State *L = reader->L;
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

/* Pushes the list in a field; returns its length, 0 when there is none. */
static int push_list(const struct reader *reader, const char *name) {
    lua_State *L = reader->L;
    lua_pushstring(L, name);
    return lua_rawget(L, -2) == LUA_TTABLE ? (int)lua_rawlen(L, -1) : 0;
}

/* The functions below read the table on top of the stack. */

static void read_sweep_values(const struct reader *reader, struct sweep_parameter *parameter) {
    lua_State *L = reader->L;
    int count = push_list(reader, "values");
    struct sweep_value *values = ARENA_ARRAY(reader->arena, struct sweep_value, count);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, -1, i + 1);
        values[i] = (struct sweep_value){text_field(reader, "json"), text_field(reader, "label"),
                                         number_field(reader, "number")};
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    parameter->values = count ? values : NULL;
    parameter->value_count = count;
}

static struct sweep_condition read_sweep_condition(const struct reader *reader) {
    lua_State *L = reader->L;
    int count = (int)lua_rawlen(L, -1);
    const char **values = ARENA_ARRAY(reader->arena, const char *, count);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, -1, i + 1);
        values[i] = arena_string(reader->arena, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return (struct sweep_condition){(int)integer_field(reader, "parameter") - 1, values, count};
}

static void read_sweep_conditions(const struct reader *reader, struct sweep_parameter *parameter) {
    int count = push_list(reader, "conditions");
    struct sweep_condition *list = ARENA_ARRAY(reader->arena, struct sweep_condition, count);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(reader->L, -1, i + 1);
        list[i] = read_sweep_condition(reader);
        lua_pop(reader->L, 1);
    }
    lua_pop(reader->L, 1);
    parameter->conditions = list;
    parameter->condition_count = count;
}

static void read_space(const struct reader *reader, struct sweep *sweep) {
    int count = push_list(reader, "parameters");
    struct sweep_parameter *list = ARENA_ARRAY(reader->arena, struct sweep_parameter, count);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(reader->L, -1, i + 1);
        list[i].name = text_field(reader, "name");
        list[i].from = number_field(reader, "from");
        list[i].to = number_field(reader, "to");
        list[i].logarithmic = boolean_field(reader, "logarithmic");
        list[i].integer = boolean_field(reader, "integer");
        read_sweep_values(reader, &list[i]);
        read_sweep_conditions(reader, &list[i]);
        lua_pop(reader->L, 1);
    }
    lua_pop(reader->L, 1);
    sweep->parameters = list;
    sweep->parameter_count = count;
}

static void read_strategy(const struct reader *reader, struct sweep *sweep) {
    push_list(reader, "strategy");
    const char *kind = text_field(reader, "kind");
    sweep->strategy = strcmp(kind, "random") == 0    ? SWEEP_RANDOM
                      : strcmp(kind, "halving") == 0 ? SWEEP_HALVING
                                                     : SWEEP_GRID;
    sweep->points = integer_field(reader, "points"); /* false reads as 0 */
    sweep->seed = (uint32_t)integer_field(reader, "seed");
    sweep->factor = integer_field(reader, "factor");
    sweep->first_epochs = integer_field(reader, "epochs");
    lua_pop(reader->L, 1);
}

static const char *fingerprint(const struct reader *reader) {
    struct digest digest;
    unsigned char bytes[DIGEST_BYTES];
    int count;
    const struct source_file *files = sandbox_sources(reader->sandbox, &count);
    char *text = arena_alloc(reader->arena, 33);

    digest_begin(&digest);
    for (int i = 0; i < count; i++) digest_add(&digest, files[i].text, strlen(files[i].text) + 1);
    digest_end(&digest, bytes);
    for (int i = 0; i < 16; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return text;
}

static int read_protected(lua_State *L) {
    struct reader *reader = lua_touserdata(L, 1);
    reader->L = L;
    sandbox_open(L);
    open_language(L);
    reader->language = lua_gettop(L) - 1;
    lua_getfield(L, -1, "describe");
    sandbox_load_model(reader->sandbox, L);
    lua_call(L, 0, 1);
    lua_call(L, 1, 1);
    struct sweep *sweep = ARENA_NEW(reader->arena, struct sweep);
    sweep->name = text_field(reader, "name");
    sweep->file = text_field(reader, "file");
    sweep->line = (int)integer_field(reader, "line");
    sweep->score = text_field(reader, "score");
    sweep->score_is_loss = strstr(sweep->score, "loss") != NULL;
    sweep->repeats = integer_field(reader, "repeats");
    sweep->folds = integer_field(reader, "folds");
    sweep->epochs = integer_field(reader, "epochs");
    sweep->training_seed = (uint32_t)integer_field(reader, "seed");
    read_space(reader, sweep);
    read_strategy(reader, sweep);
    sweep->fingerprint = fingerprint(reader);
    reader->sweep = sweep;
    return 0;
}

struct sweep *sweep_read(struct arena *arena, const char *path, struct error *error) {
    struct reader reader = {.arena = arena, .error = error};
    return reader_run(&reader, path, read_protected) ? reader.sweep : NULL;
}

/* --- points --- */

/* Pushes a JSON value; false, with nothing pushed, for what a point cannot hold. */
static bool push_json(lua_State *L, const cJSON *json, int depth) {
    if (depth > MOST_DEPTH) return false;
    if (cJSON_IsNumber(json)) {
        double number = json->valuedouble;
        if (number == floor(number) && fabs(number) < 0x1p53)
            lua_pushinteger(L, (lua_Integer)number);
        else
            lua_pushnumber(L, number);
        return true;
    }
    if (cJSON_IsString(json)) {
        lua_pushstring(L, json->valuestring);
        return true;
    }
    if (cJSON_IsBool(json)) {
        lua_pushboolean(L, cJSON_IsTrue(json));
        return true;
    }
    if (!cJSON_IsArray(json) && !cJSON_IsObject(json)) return false;
    int place = 0;
    lua_newtable(L);
    for (const cJSON *item = json->child; item; item = item->next) {
        if (!push_json(L, item, depth + 1)) {
            lua_pop(L, 1);
            return false;
        }
        if (cJSON_IsObject(json))
            lua_setfield(L, -2, item->string);
        else
            lua_rawseti(L, -2, ++place);
    }
    return true;
}

bool push_point(const struct reader *reader) {
    luaL_checkstack(reader->L, 8, NULL);
    cJSON *json = cJSON_Parse(reader->point);
    /* A Lua error in between would leak the JSON; only memory can be short here. */
    bool pushed = cJSON_IsObject(json) && push_json(reader->L, json, 0);
    cJSON_Delete(json);
    return pushed || error_set(reader->error,
                               "the point %s is not a JSON object of numbers, texts, booleans and "
                               "lists, as {\"units\": 128, \"rate\": 0.2}",
                               quoted(reader->arena, reader->point));
}
