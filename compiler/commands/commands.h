/* commands.h: the commands of lathe, one file each, and what they share. */
#ifndef LATHE_COMMANDS_H
#define LATHE_COMMANDS_H

#include "../../runtime/dataset.h"
#include "../../runtime/metrics.h"
#include "../../runtime/parallel.h"
#include "../compile.h"
#include "../jit/jit.h"
#include "options.h"

#define LATHE_VERSION "0.1.0"

/* Exit statuses. */
enum {
    STATUS_OK = 0,
    STATUS_FAILED = 1,   /* the work failed to reach its end: interrupted, loss not finite */
    STATUS_BAD_INPUT = 2 /* something that the user gave is wrong */
};

/** The commands: argv is behind the command's name. Each returns an exit status. */
int command_summary(int argc, char **argv);
int command_train(int argc, char **argv);
int command_evaluate(int argc, char **argv);
int command_predict(int argc, char **argv);
int command_emit(int argc, char **argv);
int command_bench(int argc, char **argv);
int command_sweep(int argc, char **argv);
int command_report(int argc, char **argv);
int command_compare(int argc, char **argv);

/* --- how a command runs --- */

/* The work of a command. Everything it allocates from the arena is freed behind it. Not STATUS_OK:
 * the error is printed if it is set. */
typedef int command_work(struct arena *arena, const struct arguments *arguments, void *values,
                         struct error *error);

/** Parses the command line into *values, prints the help if asked for, or does the work with a
 * fresh arena; prints its error. Returns the exit status. */
int command_run(const struct command_line *line, int argc, char **argv, void *values,
                command_work *work);

/** Prints `lathe: message` on stderr, or the message alone when it begins with a file name or with
 * the command's name. */
void command_print_error(const char *message);

/* --- options that several commands have --- */

#define BACKEND_CHOICES "auto|tcc|cc"
#define CC_CHOICES "gcc|clang"

/* How to run a model. */
struct backend_options {
    long backend; /* enum backend */
    long cc;      /* position in CC_CHOICES; -1: whichever is there */
    const char *target;
    long threads; /* 0: by the work to do */
    bool no_winograd;
};

/* Their lines in a command's table; `field` is the struct backend_options in the command's struct.
 */
#define BACKEND_OPTIONS(type, field, default_backend)                                        \
    {"backend",                                                                              \
     0,                                                                                      \
     COMMAND_CHOICE,                                                                         \
     offsetof(type, field.backend),                                                          \
     BACKEND_CHOICES,                                                                        \
     default_backend,                                                                        \
     "what compiles the model: libtcc at once, a C compiler, or both in turn"},              \
        {"cc",                                                                               \
         0,                                                                                  \
         COMMAND_CHOICE,                                                                     \
         offsetof(type, field.cc),                                                           \
         CC_CHOICES,                                                                         \
         NULL,                                                                               \
         "the C compiler (default: gcc, else clang)"},                                       \
        {"target",                                                                           \
         0,                                                                                  \
         COMMAND_TEXT,                                                                       \
         offsetof(type, field.target),                                                       \
         "NAME",                                                                             \
         NULL,                                                                               \
         "instruction set: x86-64-v4, x86-64-v3, generic, ... (default: this processor's)"}, \
        {"threads",                                                                          \
         0,                                                                                  \
         COMMAND_COUNT,                                                                      \
         offsetof(type, field.threads),                                                      \
         "N",                                                                                \
         NULL,                                                                               \
         "threads at most: as many, or one where that is faster (default: the processors; "  \
         "one for small models)"},                                                           \
    {                                                                                        \
        "no-winograd", 0, COMMAND_FLAG, offsetof(type, field.no_winograd), NULL, NULL,       \
            "sum 3x3 convolutions directly, with fewer roundings and more operations"        \
    }

#define POINT_OPTION(type, field)                                                       \
    {                                                                                   \
        "point", 0, COMMAND_TEXT, offsetof(type, field), "JSON", NULL,                  \
            "the model is a sweep's at this point: MODEL.lua is a sweep file, JSON as " \
            "'{\"units\": 128}'"                                                        \
    }

#define DATA_OPTION(type, field, text) \
    { "data", 0, COMMAND_TEXT, offsetof(type, field), "NAME|DIR", NULL, text }

/** The target of a name (NULL: this processor's). NULL + message that lists the names. */
const struct target *command_target(const char *name, struct error *error);

/** Opens the data set; with name NULL the message names what is available. */
bool command_open_data(const char *command, const char *name, struct dataset_pair *pair,
                       struct error *error);

/** Compiles and loads the model. compile: modes, batch, ... (the target is filled in). */
struct jit *command_jit(const struct model *model, const struct backend_options *options,
                        struct compile_options compile, struct error *error);

/** A pool of as many threads as asked for; else of as many as the work is worth: below about half a
 * millisecond a call, threads cost more than they give. operations: floating-point operations of a
 * call. *pool is NULL for one thread. *threads gets the number. */
bool command_pool(long threads, double operations, struct pool **pool, int *threads_used,
                  struct error *error);

/** The model's batch size; 32 (Keras's default) when it has no training table. */
long command_batch(const struct model *model);

/** Fails with a message when the model has no training table, which `why` needs. */
bool command_needs_training(const struct model *model, const char *why, struct error *error);

/** Prints loss, accuracy and the confusion matrix of an evaluation for people. */
struct evaluation;
void command_print_evaluation(const char *data, const struct evaluation *evaluation,
                              const struct confusion *confusion, const char *const *class_names);

/** A whole number with its digits in groups, 1234567 as "1,234,567", in text, which is returned. */
const char *command_grouped(double number, char text[40]);

/** Adds "confusion_matrix" (rows are true classes) to a JSON object and, when the names are known,
 * "classes". */
struct cJSON;
void command_json_classes(struct cJSON *json, const struct confusion *confusion,
                          const char *const *class_names);

/** Prints a JSON value as one line on stdout, and deletes it. */
void command_print_json(struct cJSON *json);

/** True if a picture can be drawn into such a file (.png or .svg), or path is NULL; else a message
 * about the option that named it. */
bool command_check_picture(const char *command, const char *option, const char *path,
                           struct error *error);

/** Milliseconds since this process started. The kernel tells the start to 10 ms, rounded down: the
 * answer may be up to 10 ms too large, never too small. */
double command_process_milliseconds(void);

/** The most memory that this process has had resident, pages of mapped files included; programs it
 * has started (a C compiler) do not count. */
double command_peak_memory_bytes(void);

/* --- costs.c --- */

/* What a layer costs. */
struct layer_cost {
    long trainable, frozen; /* parameters */
    double macs;            /* multiply-adds for one sample, forward */
};

/** The costs of each layer (by layer->number), in the arena. NULL + message on failure. */
struct layer_cost *model_costs(struct arena *arena, const struct model *model,
                               struct layer_cost *total, struct error *error);

/** Floating-point operations of one training step (forward and backward), or of a forward pass. */
double training_operations(const struct layer_cost *total, long batch);
double forward_operations(const struct layer_cost *total, long batch);

#endif
