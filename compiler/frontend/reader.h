/* reader.h: what the files share that turn Lua values into the layer graph.
 *
 * They run inside sandbox_run, where Lua errors are caught. What a modeller got wrong is not raised
 * but reported in reader->error; such functions return false. */
#ifndef LATHE_READER_H
#define LATHE_READER_H

#include "../layers/layer.h"
#include "model.h"
#include "sandbox.h"

struct reader {
    struct arena *arena;
    struct sandbox *sandbox;
    struct error *error;
    lua_State *L;
    int language;        /* stack index of what nn.lua returned; behind it, what sweep.lua did */
    const char *point;   /* of a sweep, as JSON; NULL: none */
    struct model *model; /* the result, or */
    struct sweep *sweep;
};

/** Runs read(L), with the reader as light userdata, in the sandbox of a file. False + message. */
bool reader_run(struct reader *reader, const char *path, lua_CFunction read);

/** Runs nn.lua and sweep.lua with the table of host functions on top of the stack; leaves what the
 * two return. */
void open_language(lua_State *L);

/** Pushes the reader's point as a table; reports what is wrong with its JSON (read_sweep.c). */
bool push_point(const struct reader *reader);

/* What a message is about: `file:line: kind "name": `. */
struct subject {
    const char *file;
    int line;
    const char *kind, *name; /* name may be NULL */
    bool by_key; /* look for the line of the option's name: the table itself knows no line */
};

/** Reports a mistake; returns false. */
bool subject_error(const struct reader *reader, const struct subject *subject, const char *format,
                   ...) __attribute__((format(printf, 3, 4)));

/** The subject with the line on which `key =` stands. */
struct subject subject_at_key(const struct reader *reader, const struct subject *subject,
                              const char *key);

/** What a Lua value is, for a message: `the text "abc"`, `3.5`, `a table`, `nothing`. */
const char *value_text(const struct reader *reader, int index);

/** A string in quotes, fit to print: shortened, without control characters. */
const char *quoted(struct arena *arena, const char *string);

/** What the compiler knows of an object of nn.lua: pushes its table and returns its type ("layer",
 * "optimizer", ...); returns NULL, and pushes nothing, for any other value. */
const char *push_private(const struct reader *reader, int index);

/** Reads field `name` of the table on top of the stack, which nn.lua filled. */
const char *text_field(const struct reader *reader, const char *name);
long integer_field(const struct reader *reader, const char *name);

/** Reads the table of options at an index into a record (read_options.c). `also` are names that may
 * stand in the table but are read elsewhere; it ends with NULL. */
bool read_options(const struct reader *reader, const struct subject *subject, int index,
                  const struct option *options, int count, const char *const *also, void *record);

/** Reads the value on top of the stack into the field of an option (read_values.c). */
bool read_value(const struct reader *reader, const struct subject *subject,
                const struct option *option, void *record);

/** What an option takes, for a message (read_values.c). */
const char *option_expects(const struct option *option);

/** Reads a name, or traces the function, on top of the stack (read_function.c). `names` are the
 * known ones. */
bool read_function(const struct reader *reader, const struct subject *subject, const char *option,
                   const char *const *names, int operands, struct function *function);

/** Reports an unknown name: `NAME is unknown; did you mean "best"?`, or lists the names, and what
 * may stand besides. */
bool unknown_name(const struct reader *reader, const struct subject *subject, const char *what,
                  const char *given, const char *const *names, const char *besides);

/** Reads the optimizer on top of the stack: a name or an object (read_training.c). */
bool read_optimizer(const struct reader *reader, const struct subject *subject,
                    struct optimizer *optimizer);

/** Reads the learning rate on top of the stack: a number, a schedule or a function becomes an
 * expression of the step. */
bool read_learning_rate(const struct reader *reader, const struct subject *subject,
                        struct learning_rate *learning_rate);

/** The texts of these options, in the order of the enumerators; each list ends with NULL
 * (read_values.c). */
const char *const *monitor_mode_names(void);
const char *const *fill_mode_names(void);

struct callback_type_options {
    const char *name; /* the Lua function: "early_stopping" */
    enum callback_kind kind;
    const struct option *options; /* of struct callback_options */
    int option_count;
};

/** The callbacks; ends with an entry without name (read_callbacks.c). */
const struct callback_type_options *callback_types(void);

/** Reads the list of callbacks on top of the stack (read_callbacks.c). */
bool read_callbacks(const struct reader *reader, const struct subject *subject,
                    struct callback_list *list);

/** The options of an augmentation, of struct augmentation (read_augmentation.c). */
const struct option *augmentation_options(int *count);

/** Reads the table of augmentation on top of the stack (read_augmentation.c). */
bool read_augmentation(const struct reader *reader, const struct subject *subject,
                       struct augmentation *augmentation);

/** Reads the training table on top of the stack into the model. */
bool read_training(const struct reader *reader, struct model *model);

#endif
