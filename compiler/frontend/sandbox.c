/* sandbox.c: a Lua state for model files (see sandbox.h). */
#include "sandbox.h"
#include "lua_modules.h"

#include <ctype.h>
#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOOK_INTERVAL = 1000 }; /* sandbox.lua's THREAD_COST */

/* A file of the model. Lua cuts long paths in its messages: `shown` is what they begin with. */
struct source {
    struct source *next;
    const char *path, *text;
    char shown[LUA_IDSIZE];
};

struct sandbox {
    struct arena *arena;
    const char *path;
    lua_State *state;
    struct source *sources;
    size_t memory; /* bytes that the state holds */
    double budget; /* instructions left */
    bool out_of_budget, out_of_limit;
};

static struct sandbox *sandbox_of(lua_State *L) {
    return *(struct sandbox **)lua_getextraspace(L);
}

static void *allocate(void *data, void *memory, size_t old_size, size_t size) {
    struct sandbox *sandbox = data;
    if (!memory) old_size = 0; /* Lua passes the kind of the object there */
    if (size == 0) {
        free(memory);
        sandbox->memory -= old_size;
        return NULL;
    }
    if (size > old_size &&
        sandbox->memory + (size - old_size) > (size_t)SANDBOX_MEGABYTES * 1024 * 1024) {
        sandbox->out_of_limit = true;
        return NULL;
    }
    void *result = realloc(memory, size);
    if (result) sandbox->memory = sandbox->memory - old_size + size;
    return result;
}

/* When no function of the model runs, the file returned: the line of its last `return`. */
static int last_return(const struct sandbox *sandbox) {
    const struct source *source = sandbox->sources;
    while (source && strcmp(source->path, sandbox->path) != 0) source = source->next;
    const char *text = source ? source->text : "";
    int found = 0, number = 1;
    for (;; number++) {
        text += strspn(text, " \t");
        if (strncmp(text, "return", strlen("return")) == 0) found = number;
        text = strchr(text, '\n');
        if (!text || !*++text) return found ? found : number;
    }
}

const char *sandbox_where(struct sandbox *sandbox, lua_State *L, int *line) {
    lua_Debug frame;
    for (int level = 0; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sl", &frame);
        if (frame.currentline <= 0 || frame.source[0] != '@') continue;
        *line = frame.currentline;
        for (struct source *source = sandbox->sources; source; source = source->next)
            if (strcmp(source->path, frame.source + 1) == 0) return source->path;
    }
    *line = last_return(sandbox);
    return sandbox->path;
}

static int raise_out_of_budget(lua_State *L) {
    struct sandbox *sandbox = sandbox_of(L);
    int line;
    const char *file = sandbox_where(sandbox, L, &line);
    sandbox->out_of_budget = true;
    lua_pushfstring(L,
                    "%s:%d: the file runs for more than %d million instructions; a model file only "
                    "describes layers",
                    file, line, SANDBOX_MILLIONS);
    return lua_error(L);
}

static void count_hook(lua_State *L, lua_Debug *event) {
    (void)event;
    struct sandbox *sandbox = sandbox_of(L);
    sandbox->budget -= HOOK_INTERVAL;
    if (sandbox->budget < 0) raise_out_of_budget(L);
}

static int host_charge(lua_State *L) {
    struct sandbox *sandbox = sandbox_of(L);
    double cost = lua_tonumber(L, 1);
    if (cost > 0) sandbox->budget -= cost;
    return sandbox->budget < 0 ? raise_out_of_budget(L) : 0;
}

static int host_check(lua_State *L) {
    return sandbox_of(L)->out_of_budget ? raise_out_of_budget(L) : 0;
}

static int host_where(lua_State *L) {
    int line;
    lua_pushstring(L, sandbox_where(sandbox_of(L), L, &line));
    lua_pushinteger(L, line);
    return 2;
}

/* Lua's print, to standard error: standard output belongs to the command, and may be read as JSON.
 */
static int host_print(lua_State *L) {
    int count = lua_gettop(L);
    for (int i = 1; i <= count; i++) {
        size_t length;
        const char *text = luaL_tolstring(L, i, &length);
        if (i > 1) fputc('\t', stderr);
        fwrite(text, 1, length, stderr);
        lua_pop(L, 1);
    }
    fputc('\n', stderr);
    return 0;
}

/* host.find_key(file, line, key) */
static int host_find_key(lua_State *L) {
    lua_pushinteger(L, sandbox_find_key(sandbox_of(L), luaL_checkstring(L, 1),
                                        (int)luaL_checkinteger(L, 2), luaL_checkstring(L, 3)));
    return 1;
}

/* Reads a file into the arena; returns NULL with errno, 0 meaning that it is too large. */
static char *read_file(struct arena *arena, const char *path, size_t *size) {
    struct stat status;
    if (stat(path, &status) != 0) return NULL;
    long length = S_ISREG(status.st_mode) ? (long)status.st_size : SANDBOX_FILE_BYTES;
    if (length > SANDBOX_FILE_BYTES) length = SANDBOX_FILE_BYTES;
    char *text = arena_alloc(arena, (size_t)length + 2); /* may jump: before the file is open */
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    errno = 0;
    *size = fread(text, 1, (size_t)length + 1, file);
    int reason = ferror(file) ? errno : 0;
    fclose(file);
    errno = reason;
    if (reason || *size > SANDBOX_FILE_BYTES) return NULL;
    text[*size] = '\0';
    return text;
}

void sandbox_load_text(struct sandbox *sandbox, lua_State *L, const char *path, const char *text,
                       size_t size) {
    struct source *source = ARENA_NEW(sandbox->arena, struct source);
    source->path = arena_string(sandbox->arena, path);
    source->text = text;
    source->next = sandbox->sources;
    sandbox->sources = source;
    const char *name = lua_pushfstring(L, "@%s", path);
    lua_Debug info; /* an empty chunk of this name tells how Lua shows it */
    if (luaL_loadbufferx(L, "", 0, name, "t") != LUA_OK) lua_error(L);
    lua_getinfo(L, ">S", &info);
    snprintf(source->shown, sizeof source->shown, "%s", info.short_src);
    if (luaL_loadbufferx(L, text, size, name, "t") != LUA_OK) lua_error(L);
    lua_remove(L, -2);
}

/* Pushes the main function of a file; the text of a message about what went wrong otherwise. */
static const char *load_file(struct sandbox *sandbox, lua_State *L, const char *path) {
    size_t size;
    char *text = read_file(sandbox->arena, path, &size);
    if (!text)
        return errno ? strerror(errno) : "it is larger than any model file should be (4 MiB)";
    if (text[0] == LUA_SIGNATURE[0]) return "it is compiled Lua; a model file is Lua text";
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) memcpy(text, "   ", 3);
    if (text[0] == '#' && text[1] == '!') memcpy(text, "--", 2);
    sandbox_load_text(sandbox, L, path, text, size);
    return NULL;
}

/* The folder of the model file, with its slash; "" for the working directory. */
static const char *model_folder(const struct sandbox *sandbox, lua_State *L) {
    const char *slash = strrchr(sandbox->path, '/');
    return lua_pushlstring(L, sandbox->path, slash ? (size_t)(slash - sandbox->path) + 1 : 0);
}

static int host_load(lua_State *L) {
    struct sandbox *sandbox = sandbox_of(L);
    const char *name = lua_type(L, 1) == LUA_TSTRING ? lua_tostring(L, 1) : "";
    bool good = *name != '\0';
    for (const char *c = name; *c; c++) good = good && (isalnum((unsigned char)*c) || *c == '_');
    if (!good)
        return luaL_error(L,
                          "require takes the name of a Lua file beside the model file, or in the "
                          "folder above: require \"blocks\" reads blocks.lua");
    const char *folder = model_folder(sandbox, L);
    const char *path = lua_pushfstring(L, "%s%s.lua", folder, name);
    const char *above = lua_pushfstring(L, "%s../%s.lua", folder, name);
    bool is_above = access(path, F_OK) != 0 && access(above, F_OK) == 0;
    const char *problem = load_file(sandbox, L, is_above ? above : path);
    if (problem)
        return luaL_error(L,
                          "module \"%s\" cannot be read: %s: %s; put it beside the model file, "
                          "or in the folder above",
                          name, is_above ? above : path, problem);
    return 1;
}

void sandbox_load_model(struct sandbox *sandbox, lua_State *L) {
    const char *problem = load_file(sandbox, L, sandbox->path);
    if (!problem) return;
    lua_pushfstring(L, "%s: it cannot be read: %s; give the path of a Lua model file",
                    sandbox->path, problem);
    lua_error(L);
}

void sandbox_load_module(lua_State *L, const char *text) {
    if (luaL_loadbufferx(L, text, strlen(text), "=[lathe]", "t") != LUA_OK) lua_error(L);
}

void sandbox_open(lua_State *L) {
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base},       {LUA_STRLIBNAME, luaopen_string},
        {LUA_TABLIBNAME, luaopen_table}, {LUA_MATHLIBNAME, luaopen_math},
        {LUA_UTF8LIBNAME, luaopen_utf8}, {LUA_COLIBNAME, luaopen_coroutine},
    };
    static const luaL_Reg host[] = {
        {"charge", host_charge},
        {"check", host_check},
        {"load", host_load},
        {"where", host_where},
        {"find_key", host_find_key},
        {"print", host_print},
        {NULL, NULL},
    };
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    lua_sethook(L, count_hook, LUA_MASKCOUNT, HOOK_INTERVAL);
    luaL_newlib(L, host);
    sandbox_load_module(L, lua_module_sandbox);
    lua_pushvalue(L, -2);
    lua_call(L, 1, 0);
}

static bool has_prefix(const char *message, const char *file) {
    size_t length = strlen(file);
    return length && strncmp(message, file, length) == 0 && message[length] == ':';
}

/* The message with the whole path of our file in front of it; NULL if no file of ours stands there,
 * as in error("text", 0). */
static const char *with_whole_path(struct sandbox *sandbox, lua_State *L, const char *message) {
    if (has_prefix(message, sandbox->path)) return message;
    for (struct source *source = sandbox->sources; source; source = source->next) {
        if (has_prefix(message, source->path)) return message;
        if (has_prefix(message, source->shown))
            return lua_pushfstring(L, "%s%s", source->path, message + strlen(source->shown));
    }
    return NULL;
}

/* Turns what was raised into a message that begins with a place in the model's files. */
static int handle_message(lua_State *L) {
    static const char ours[] = "[lathe]:";
    struct sandbox *sandbox = sandbox_of(L);
    const char *message = lua_tostring(L, 1);
    if (!message && luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL)
        message = luaL_tolstring(L, 1, NULL);
    else if (!message)
        message = lua_pushfstring(L, "the file raises a %s as its error", luaL_typename(L, 1));
    if (strncmp(message, ours, strlen(ours)) == 0) {
        const char *text = strstr(message + strlen(ours), ": ");
        message = text ? text + 2 : message;
    }
    const char *placed = with_whole_path(sandbox, L, message);
    if (placed) {
        lua_pushstring(L, placed);
    } else {
        int line;
        const char *file = sandbox_where(sandbox, L, &line);
        lua_pushfstring(L, "%s:%d: %s", file, line, message);
    }
    return 1;
}

bool sandbox_run(struct sandbox *sandbox, lua_CFunction function, void *data, struct error *error) {
    lua_State *L = sandbox->state;
    lua_pushcfunction(L, handle_message);
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, data);
    int status = lua_pcall(L, 1, 0, 1);
    if (status == LUA_OK) {
        lua_settop(L, 0);
        return true;
    }
    const char *message = lua_tostring(L, -1);
    if (status == LUA_ERRMEM && sandbox->out_of_limit)
        return error_set(error,
                         "%s: it needs more than %d MiB of memory; a model file only describes "
                         "layers",
                         sandbox->path, SANDBOX_MEGABYTES);
    if (status == LUA_ERRMEM) return error_set(error, "%s: out of memory", sandbox->path);
    error_set(error, "%s", message ? message : "error");
    if (error) { /* the text may come from the model: nothing for the terminal to obey */
        for (char *c = error->text; *c; c++)
            if (iscntrl((unsigned char)*c) && *c != '\n' && *c != '\t') *c = '?';
    }
    return false;
}

struct sandbox *sandbox_new(struct arena *arena, const char *path, struct error *error) {
    struct sandbox *sandbox = ARENA_NEW(arena, struct sandbox);
    sandbox->arena = arena;
    sandbox->path = arena_string(arena, path);
    sandbox->budget = SANDBOX_MILLIONS * 1e6;
    sandbox->state = lua_newstate(allocate, sandbox);
    if (!sandbox->state) {
        error_set(error, "%s: out of memory", path);
        return NULL;
    }
    *(struct sandbox **)lua_getextraspace(sandbox->state) = sandbox;
    return sandbox;
}

void sandbox_free(struct sandbox *sandbox) {
    if (sandbox && sandbox->state) lua_close(sandbox->state);
    if (sandbox) sandbox->state = NULL;
}

struct source_file *sandbox_sources(const struct sandbox *sandbox, int *count) {
    *count = 0;
    for (const struct source *source = sandbox->sources; source; source = source->next) ++*count;
    struct source_file *files = ARENA_ARRAY(sandbox->arena, struct source_file, *count);
    int place = *count;
    for (const struct source *source = sandbox->sources; source; source = source->next)
        files[--place] = (struct source_file){source->path, source->text};
    return files;
}

/* `key` as a whole word before the first comment, followed by a single `=`. */
static bool line_has_key(const char *line, size_t length, const char *key) {
    size_t size = strlen(key);
    for (size_t i = 0; i + size < length; i++) {
        if (line[i] == '-' && line[i + 1] == '-') return false;
        bool word = i == 0 || !(isalnum((unsigned char)line[i - 1]) || line[i - 1] == '_');
        if (!word || strncmp(line + i, key, size) != 0) continue;
        size_t k = i + size;
        while (k < length && (line[k] == ' ' || line[k] == '\t')) k++;
        if (k < length && line[k] == '=' && (k + 1 == length || line[k + 1] != '=')) return true;
    }
    return false;
}

int sandbox_find_key(const struct sandbox *sandbox, const char *file, int line, const char *key) {
    const struct source *source = sandbox->sources;
    while (source && strcmp(source->path, file) != 0) source = source->next;
    if (!source) return line;
    const char *text = source->text;
    for (int number = 1; *text; number++) {
        const char *end = strchr(text, '\n');
        size_t length = end ? (size_t)(end - text) : strlen(text);
        if (number >= line && line_has_key(text, length, key)) return number;
        if (!end) break;
        text = end + 1;
    }
    return line;
}
