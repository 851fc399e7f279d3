/* read_training.c: the training table: loss, optimizer, schedule, and the recipe's numbers. */
#include "reader.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const char *const none[] = {NULL};

static bool wrong_learning_rate(const struct reader *reader, const struct subject *subject) {
    const struct option option = {.kind = OPTION_LEARNING_RATE};
    return subject_error(reader, subject, "learning_rate is %s; use %s", value_text(reader, -1),
                         option_expects(&option));
}

/* The schedule whose private table is on top of the stack. */
static bool read_schedule(const struct reader *reader, struct learning_rate *learning_rate) {
    struct subject subject = {.file = text_field(reader, "file"),
                              .line = (int)integer_field(reader, "line"),
                              .kind = text_field(reader, "kind")};
    const struct schedule_type *type = schedule_types();
    struct schedule *schedule = ARENA_ARRAY(reader->arena, struct schedule, 1);
    while (strcmp(type->name, subject.kind) != 0) type++;
    lua_getfield(reader->L, -1, "options");
    if (!read_options(reader, &subject, -1, type->options, type->option_count, none, schedule))
        return false;
    const char *mistake = type->mistake ? type->mistake(schedule) : NULL;
    if (mistake) return subject_error(reader, &subject, "%s", mistake);
    *learning_rate = (struct learning_rate){
        .expression = type->lower(schedule, reader->arena, expression_operand(reader->arena, 0)),
        .type = type,
        .schedule = schedule};
    return true;
}

bool read_learning_rate(const struct reader *reader, const struct subject *subject,
                        struct learning_rate *learning_rate) {
    lua_State *L = reader->L;
    if (lua_type(L, -1) == LUA_TNUMBER) {
        double number = lua_tonumber(L, -1);
        *learning_rate =
            (struct learning_rate){expression_constant(reader->arena, number), NULL, NULL};
        if (isfinite(number) && number > 0) return true;
        return wrong_learning_rate(reader, subject);
    }
    if (lua_isfunction(L, -1)) {
        struct function function = {.name = NULL};
        if (!read_function(reader, subject, "learning_rate", none, 1, &function)) return false;
        *learning_rate = (struct learning_rate){function.expression, NULL, NULL};
        return true;
    }
    const char *type = push_private(reader, -1);
    if (type && strcmp(type, "schedule") == 0) return read_schedule(reader, learning_rate);
    if (type) lua_pop(L, 1);
    return wrong_learning_rate(reader, subject);
}

static const struct optimizer_type *find_optimizer(const char *name) {
    const struct optimizer_type *type = optimizer_types();
    while (type->name && strcmp(type->name, name) != 0) type++;
    return type->name ? type : NULL;
}

static bool unknown_optimizer(const struct reader *reader, const struct subject *subject,
                              const char *given) {
    const char *names[12];
    int count = 0;
    for (const struct optimizer_type *type = optimizer_types(); type->name && count < 11; type++)
        names[count++] = type->name;
    names[count] = NULL;
    return unknown_name(reader, subject, "optimizer", given, names, "");
}

bool read_optimizer(const struct reader *reader, const struct subject *subject,
                    struct optimizer *optimizer) {
    static const struct option option = {"optimizer", OPTION_OPTIMIZER, 0, NULL, false};
    lua_State *L = reader->L;
    struct subject inner = *subject;
    inner.name = NULL;
    const struct optimizer_type *type = NULL;
    if (lua_type(L, -1) == LUA_TSTRING) {
        type = find_optimizer(lua_tostring(L, -1));
        if (!type) return unknown_optimizer(reader, subject, lua_tostring(L, -1));
        inner.kind = type->name;
        lua_newtable(L);
    } else {
        const char *of = push_private(reader, -1);
        if (!of || strcmp(of, "optimizer") != 0) {
            if (of) lua_pop(L, 1);
            return subject_error(reader, subject, "optimizer is %s; use %s", value_text(reader, -1),
                                 option_expects(&option));
        }
        inner = (struct subject){.file = text_field(reader, "file"),
                                 .line = (int)integer_field(reader, "line"),
                                 .kind = text_field(reader, "kind")};
        type = find_optimizer(inner.kind);
        lua_getfield(L, -1, "options");
    }
    optimizer->kind = type->kind;
    optimizer->file = inner.file;
    optimizer->line = inner.line;
    if (!read_options(reader, &inner, -1, type->options, type->option_count, none, optimizer))
        return false;
    if (optimizer->nesterov && optimizer->momentum == 0)
        return subject_error(reader, &inner,
                             "nesterov = true has no effect without momentum; add momentum = 0.9");
    return true;
}

/* As Keras does when asked for "accuracy", but only for losses of classes. */
static bool default_accuracy(const struct training *training) {
    return !training->loss.expression && strstr(training->loss.name, "crossentropy") != NULL;
}

bool read_training(const struct reader *reader, struct model *model) {
#define FIELD(name) offsetof(struct training, name)
    static const struct option options[] = {
        {"loss", OPTION_LOSS, FIELD(loss), NULL, false},
        {"optimizer", OPTION_OPTIMIZER, FIELD(optimizer), "'rmsprop'", false},
        {"batch_size", OPTION_COUNT, FIELD(batch_size), "32", false},
        {"epochs", OPTION_COUNT, FIELD(epochs), "1", false},
        {"validation_split", OPTION_FRACTION, FIELD(validation_split), "0", false},
        {"stratified", OPTION_BOOLEAN, FIELD(stratified), "true", false},
        {"seed", OPTION_SEED, FIELD(seed), "1", false},
        {"from_logits", OPTION_BOOLEAN, FIELD(from_logits), "false", false},
        {"callbacks", OPTION_CALLBACKS, FIELD(callbacks), "", false},
        {"augmentation", OPTION_AUGMENTATION, FIELD(augmentation), "", false},
        {"metrics", OPTION_METRICS, FIELD(accuracy), "", false},
    };
#undef FIELD
    lua_State *L = reader->L;
    struct training *training = &model->training;
    if (lua_isnil(L, -1)) return true;
    struct subject subject = {
        .file = model->file, .line = model->line, .kind = "training", .by_key = true};
    subject = subject_at_key(reader, &subject, "training");
    bool object = push_private(reader, -1) != NULL;
    if (object) lua_pop(L, 1);
    if (!lua_istable(L, -1) || object)
        return subject_error(reader, &subject,
                             "it is %s; use { loss = \"...\", optimizer = adam {} }",
                             value_text(reader, -1));
    training->file = subject.file;
    training->line = subject.line;
    int count = (int)(sizeof options / sizeof *options);
    if (!read_options(reader, &subject, -1, options, count, none, training)) return false;
    lua_pushstring(L, "metrics");
    if (lua_rawget(L, -2) == LUA_TNIL) training->accuracy = default_accuracy(training);
    lua_pop(L, 1);
    return true;
}
