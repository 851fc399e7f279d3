/* read_callbacks.c: the callbacks of a training table: names, options and defaults are Keras's. */
#include "reader.h"

#include <lauxlib.h>
#include <stddef.h>
#include <string.h>

#define FIELD(name) offsetof(struct callback_options, name)
#define MONITOR(least)                                                           \
    {"monitor", OPTION_METRIC, FIELD(monitor.metric), "'val_loss'", true},       \
        {"mode", OPTION_MONITOR_MODE, FIELD(monitor.mode), "'auto'", false}, {   \
        "min_delta", OPTION_NOT_NEGATIVE, FIELD(monitor.min_delta), least, false \
    }

static const struct option early_stopping_options[] = {
    MONITOR("0"),
    {"patience", OPTION_WHOLE, FIELD(patience), "0", false},
    {"baseline", OPTION_NUMBER, FIELD(threshold), "", false},
    {"restore_best_weights", OPTION_BOOLEAN, FIELD(restore_best_weights), "false", false},
    {"start_from_epoch", OPTION_WHOLE, FIELD(start_from_epoch), "0", false},
};
static const struct option reduce_lr_on_plateau_options[] = {
    MONITOR("0.0001"),
    {"factor", OPTION_PART, FIELD(factor), "0.1", false},
    {"patience", OPTION_WHOLE, FIELD(patience), "10", false},
    {"cooldown", OPTION_WHOLE, FIELD(cooldown), "0", false},
    {"min_lr", OPTION_NOT_NEGATIVE, FIELD(min_lr), "0", false},
};
static const struct option model_checkpoint_options[] = {
    {"filepath", OPTION_FILE, FIELD(path), NULL, true},
    {"monitor", OPTION_METRIC, FIELD(monitor.metric), "'val_loss'", false},
    {"mode", OPTION_MONITOR_MODE, FIELD(monitor.mode), "'auto'", false},
    {"save_best_only", OPTION_BOOLEAN, FIELD(save_best_only), "false", false},
    {"initial_value_threshold", OPTION_NUMBER, FIELD(threshold), "", false},
};
static const struct option csv_logger_options[] = {
    {"filename", OPTION_FILE, FIELD(path), "'training.csv'", true},
    {"separator", OPTION_LETTER, FIELD(separator), "','", false},
};
static const struct option tensorboard_options[] = {
    {"log_dir", OPTION_FILE, FIELD(path), "'logs'", true},
    {"histogram_freq", OPTION_WHOLE, FIELD(histogram_freq), "0", false},
    {"update_freq", OPTION_UPDATE_FREQ, FIELD(update_freq), "'epoch'", false},
};

#define TABLE(options) options, (int)(sizeof(options) / sizeof *(options))
const struct callback_type_options *callback_types(void) {
    static const struct callback_type_options types[] = {
        {"early_stopping", CALLBACK_EARLY_STOPPING, TABLE(early_stopping_options)},
        {"reduce_lr_on_plateau", CALLBACK_REDUCE_LR_ON_PLATEAU,
         TABLE(reduce_lr_on_plateau_options)},
        {"model_checkpoint", CALLBACK_MODEL_CHECKPOINT, TABLE(model_checkpoint_options)},
        {"csv_logger", CALLBACK_CSV_LOGGER, TABLE(csv_logger_options)},
        {"tensorboard", CALLBACK_TENSORBOARD, TABLE(tensorboard_options)},
        {"terminate_on_nan", CALLBACK_TERMINATE_ON_NAN, NULL, 0},
        {NULL, CALLBACK_KINDS, NULL, 0},
    };
    return types;
}

static const char expected[] = "a list of callbacks, as { early_stopping { patience = 5 } }";

/* Files and folders that the run itself keeps in its directory; nothing else goes into them. */
static bool is_own_file(const char *path) {
    static const char *const own[] = {"last.safetensors",
                                      "best.safetensors",
                                      "history.csv",
                                      "history.json",
                                      "cross_validation.json",
                                      "classes.txt",
                                      "run.json",
                                      "report.html",
                                      "worst_mistakes.safetensors",
                                      "learning_curves.png",
                                      "confusion_matrix.png",
                                      "worst_mistakes.png",
                                      "filters.png",
                                      "model"};
    while (strncmp(path, "./", 2) == 0) path += 2;
    size_t length = strcspn(path, "/");
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strlen(own[i]) == length && strncmp(own[i], path, length) == 0) return true;
    return false;
}

/* What single options cannot tell. */
static bool check_callback(const struct reader *reader, const struct subject *subject,
                           const struct callback_options *callback) {
    static const struct history_epoch any = {.epoch = 1};
    char path[400];
    if (callback->path && is_own_file(callback->path))
        return subject_error(reader, subject,
                             "\"%s\" is a name that the run itself keeps; choose another one",
                             callback->path);
    if (callback->kind != CALLBACK_MODEL_CHECKPOINT) return true;
    size_t length = strlen(callback->path), end = strlen(".safetensors");
    if (length <= end || strcmp(callback->path + length - end, ".safetensors") != 0)
        return subject_error(reader, subject,
                             "filepath is %s, but weights are safetensors files; let it end with "
                             ".safetensors",
                             quoted(reader->arena, callback->path));
    if (!model_checkpoint_path(callback->path, &any, path, sizeof path))
        return subject_error(reader, subject,
                             "filepath is %s; in braces stand epoch, loss, accuracy, val_loss or "
                             "val_accuracy, as {epoch:02d} or {val_loss:.4f}",
                             quoted(reader->arena, callback->path));
    return true;
}

static bool has_option(const struct reader *reader, const char *name) {
    lua_pushstring(reader->L, name);
    bool has = lua_rawget(reader->L, -2) != LUA_TNIL;
    lua_pop(reader->L, 1);
    return has;
}

/* The callback whose private table is on top of the stack. */
static bool read_callback(const struct reader *reader, struct callback_options *callback) {
    static const char *const none[] = {NULL};
    struct subject subject = {.file = text_field(reader, "file"),
                              .line = (int)integer_field(reader, "line"),
                              .kind = text_field(reader, "kind")};
    const struct callback_type_options *type = callback_types();
    while (strcmp(type->name, subject.kind) != 0) type++;
    *callback =
        (struct callback_options){.kind = type->kind, .file = subject.file, .line = subject.line};
    lua_getfield(reader->L, -1, "options");
    if (!read_options(reader, &subject, -1, type->options, type->option_count, none, callback))
        return false;
    callback->has_threshold =
        has_option(reader, "baseline") || has_option(reader, "initial_value_threshold");
    lua_pop(reader->L, 1);
    return check_callback(reader, &subject, callback);
}

bool read_callbacks(const struct reader *reader, const struct subject *subject,
                    struct callback_list *list) {
    lua_State *L = reader->L;
    const char *object = push_private(reader, -1);
    if (object) lua_pop(L, 1);
    if (!lua_istable(L, -1) || object)
        return subject_error(reader, subject, "callbacks is %s; use %s", value_text(reader, -1),
                             expected);
    int count = (int)lua_rawlen(L, -1);
    bool chosen = false;
    struct callback_options *options =
        ARENA_ARRAY(reader->arena, struct callback_options, count + 1);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, -1, i + 1);
        const char *type = push_private(reader, -1);
        if (!type || strcmp(type, "callback") != 0) {
            if (type) lua_pop(L, 1);
            return subject_error(reader, subject, "callback %d is %s; use %s", i + 1,
                                 value_text(reader, -1), expected);
        }
        if (!read_callback(reader, &options[i])) return false;
        lua_pop(L, 2);
        if (options[i].restore_best_weights && chosen)
            return subject_error(reader, subject,
                                 "two callbacks have restore_best_weights = true; the weights can "
                                 "be those of one");
        chosen = chosen || options[i].restore_best_weights;
    }
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        if (!lua_isinteger(L, -2))
            return subject_error(reader, subject, "callbacks has the key %s; use %s",
                                 value_text(reader, -2), expected);
        lua_pop(L, 1);
    }
    list->options = options;
    list->count = count;
    return true;
}
