/* checkpoint.c: a run on disk (see checkpoint.h). Numbers are kept as text in the metadata: %.17g
 * gives every double back with the same bits. */
#include "checkpoint.h"
#include "weights.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char format_name[] = "lathe checkpoint 2";

/* Every number of struct checkpoint but the history; the loops below follow this table. */
enum field_kind { FIELD_LONG, FIELD_UINT32, FIELD_DOUBLE };
struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;
};
#define FIELD(kind, name) \
    { #name, kind, offsetof(struct checkpoint, name) }
static const struct field fields[] = {FIELD(FIELD_UINT32, seed),
                                      FIELD(FIELD_LONG, epoch),
                                      FIELD(FIELD_LONG, batch),
                                      FIELD(FIELD_LONG, step),
                                      FIELD(FIELD_DOUBLE, validation_split),
                                      FIELD(FIELD_LONG, folds),
                                      FIELD(FIELD_LONG, fold),
                                      FIELD(FIELD_LONG, stratified),
                                      FIELD(FIELD_UINT32, data),
                                      FIELD(FIELD_DOUBLE, loss_sum),
                                      FIELD(FIELD_DOUBLE, accuracy_sum),
                                      FIELD(FIELD_LONG, sample_count),
                                      FIELD(FIELD_DOUBLE, best_metric),
                                      FIELD(FIELD_LONG, best_epoch),
                                      FIELD(FIELD_DOUBLE, seconds),
                                      FIELD(FIELD_LONG, stopped),
                                      FIELD(FIELD_LONG, callback_numbers),
                                      FIELD(FIELD_LONG, history_rows),
                                      FIELD(FIELD_LONG, history_columns)};
enum {
    FIELDS = sizeof fields / sizeof *fields,
    TEXT_BYTES = 32, /* enough for any number */
    MAX_HISTORY = 10000000
};

/* --- saving --- */

static void print_field(const struct field *field, const struct checkpoint *checkpoint,
                        char text[TEXT_BYTES]) {
    const void *place = (const char *)checkpoint + field->offset;
    switch (field->kind) {
    case FIELD_LONG: snprintf(text, TEXT_BYTES, "%ld", *(const long *)place); break;
    case FIELD_UINT32:
        snprintf(text, TEXT_BYTES, "%lu", (unsigned long)*(const uint32_t *)place);
        break;
    case FIELD_DOUBLE: snprintf(text, TEXT_BYTES, "%.17g", *(const double *)place); break;
    }
}

/* Numbers with spaces between. */
static char *print_numbers(const double *numbers, size_t count) {
    char *text = malloc(count * TEXT_BYTES + 1), *out = text;
    if (!text) return NULL;
    *out = '\0';
    for (size_t i = 0; i < count; i++)
        out += snprintf(out, TEXT_BYTES, "%s%.17g", i ? " " : "", numbers[i]);
    return text;
}

/* The file's own checksum covers the tensors; this one covers the numbers here. */
static unsigned long checksum_texts(const struct metadata *metadata, int count) {
    unsigned long checksum = crc32(0, NULL, 0);
    for (int i = 0; i < count; i++)
        checksum =
            crc32_z(checksum, (const Bytef *)metadata[i].value, strlen(metadata[i].value) + 1);
    return checksum;
}

static bool write_checkpoint(const char *path, const struct program *program,
                             const struct checkpoint *checkpoint, const char *history,
                             const char *callbacks, const struct tensor_view *tensors, int count,
                             struct error *error) {
    char texts[FIELDS][TEXT_BYTES], batch_size[TEXT_BYTES];
    struct metadata metadata[FIELDS + 7];
    int used = 0;
    snprintf(batch_size, sizeof batch_size, "%ld", program_step_samples(program));
    metadata[used++] = (struct metadata){"format", format_name};
    metadata[used++] = (struct metadata){"model", program->name};
    metadata[used++] = (struct metadata){"batch_size", batch_size};
    for (int i = 0; i < FIELDS; i++) {
        print_field(&fields[i], checkpoint, texts[i]);
        metadata[used++] = (struct metadata){fields[i].name, texts[i]};
    }
    metadata[used++] = (struct metadata){"history", history};
    metadata[used++] = (struct metadata){"callbacks", callbacks};
    if (checkpoint->recipe) metadata[used++] = (struct metadata){"recipe", checkpoint->recipe};
    char checksum[TEXT_BYTES];
    snprintf(checksum, sizeof checksum, "%08lx", checksum_texts(metadata, used));
    metadata[used++] = (struct metadata){"state_crc32", checksum};
    return safetensors_write(path, tensors, count, metadata, used, error);
}

bool checkpoint_save(const char *path, const struct program *program,
                     float *const space[PROGRAM_SPACES], const struct checkpoint *checkpoint,
                     struct error *error) {
    int count;
    struct tensor_view *tensors = weights_tensors(program, space, &count);
    char *history = print_numbers(checkpoint->history, (size_t)checkpoint->history_rows *
                                                           (size_t)checkpoint->history_columns);
    char *callbacks = print_numbers(checkpoint->callbacks, (size_t)checkpoint->callback_numbers);
    bool fine;
    if (tensors && history && callbacks) {
        long size = program->space_size[PROGRAM_OPTIMIZER];
        if (size > 0)
            tensors[count++] =
                (struct tensor_view){"optimizer", 1, {size}, space[PROGRAM_OPTIMIZER], size};
        fine =
            write_checkpoint(path, program, checkpoint, history, callbacks, tensors, count, error);
    } else {
        fine = error_set(error, "%s: out of memory", path);
    }
    free(tensors);
    free(history);
    free(callbacks);
    return fine;
}

/* --- loading --- */

static bool parse_field(const char *path, const struct safetensors *file, const struct field *field,
                        struct checkpoint *checkpoint, struct error *error) {
    const char *text = safetensors_metadata(file, field->name);
    void *place = (char *)checkpoint + field->offset;
    char *end = NULL;
    bool fine = text && *text && *text != ' ';
    errno = 0;
    if (fine && field->kind == FIELD_DOUBLE) {
        *(double *)place = strtod(text, &end);
    } else if (fine) {
        long long number = strtoll(text, &end, 10);
        if (field->kind == FIELD_UINT32) {
            fine = number >= 0 && number <= (long long)UINT32_MAX;
            if (fine) *(uint32_t *)place = (uint32_t)number;
        } else {
            *(long *)place = (long)number;
            fine = errno == 0 && *(long *)place == number && number >= -1;
        }
    }
    if (!fine || *end != '\0')
        return error_set(error, "%s: the checkpoint's \"%s\" is %s", path, field->name,
                         text ? "not a number that can be" : "missing");
    return true;
}

/* Reads `count` numbers; *numbers is NULL for none. */
static bool parse_numbers(const char *path, const char *name, const char *text, size_t count,
                          double **numbers, struct error *error) {
    *numbers = NULL;
    if (count == 0) return true;
    *numbers = malloc(count * sizeof(double));
    if (!*numbers) return error_set(error, "%s: out of memory", path);
    for (size_t i = 0; i < count; i++) {
        char *end;
        (*numbers)[i] = strtod(text, &end);
        if (end == text) return error_set(error, "%s: the checkpoint's %s is cut off", path, name);
        text = end;
    }
    return *text == '\0' || error_set(error, "%s: the checkpoint's %s is too long", path, name);
}

static bool parse_lists(const char *path, const struct safetensors *file,
                        struct checkpoint *checkpoint, struct error *error) {
    const char *history = safetensors_metadata(file, "history");
    const char *callbacks = safetensors_metadata(file, "callbacks");
    long rows = checkpoint->history_rows, columns = checkpoint->history_columns;
    long numbers = checkpoint->callback_numbers;
    if (!history || rows < 0 || columns < 0 || (columns > 0 && rows > MAX_HISTORY / columns))
        return error_set(error, "%s: the checkpoint's history is damaged", path);
    if (!callbacks || numbers < 0 || numbers > MAX_HISTORY)
        return error_set(error, "%s: the checkpoint's callbacks are damaged", path);
    return parse_numbers(path, "history", history, (size_t)(rows * columns), &checkpoint->history,
                         error) &&
           parse_numbers(path, "callbacks", callbacks, (size_t)numbers, &checkpoint->callbacks,
                         error);
}

static bool copy_recipe(const char *path, const struct safetensors *file,
                        struct checkpoint *checkpoint, struct error *error) {
    const char *recipe = safetensors_metadata(file, "recipe");
    if (!recipe) return true;
    checkpoint->recipe = strdup(recipe);
    return checkpoint->recipe || error_set(error, "%s: out of memory", path);
}

static bool check_texts(const char *path, const struct safetensors *file, struct error *error) {
    struct metadata metadata[FIELDS + 6] = {
        {.key = "format"}, {.key = "model"}, {.key = "batch_size"}};
    int used = 3;
    for (int i = 0; i < FIELDS; i++) metadata[used++].key = fields[i].name;
    metadata[used++].key = "history";
    metadata[used++].key = "callbacks";
    if (safetensors_metadata(file, "recipe")) metadata[used++].key = "recipe";
    for (int i = 0; i < used; i++) {
        metadata[i].value = safetensors_metadata(file, metadata[i].key);
        if (!metadata[i].value)
            return error_set(error, "%s: the checkpoint's \"%s\" is missing", path,
                             metadata[i].key);
    }
    const char *told = safetensors_metadata(file, "state_crc32");
    char computed[TEXT_BYTES];
    snprintf(computed, sizeof computed, "%08lx", checksum_texts(metadata, used));
    if (!told || strcmp(told, computed) != 0)
        return error_set(error,
                         "%s: the checkpoint's numbers are damaged: their checksum is %s, "
                         "not %.20s",
                         path, computed, told ? told : "given");
    return true;
}

/* Is the file a checkpoint, of this program? */
static bool check_owner(const char *path, const struct safetensors *file,
                        const struct program *program, struct error *error) {
    const char *format = safetensors_metadata(file, "format");
    if (!format || strcmp(format, format_name) != 0)
        return error_set(error, "%s: not a checkpoint (its format is \"%.40s\", not \"%s\")", path,
                         format ? format : "", format_name);
    if (!safetensors_metadata(file, "crc32"))
        return error_set(error, "%s: the checkpoint has no checksum", path);
    if (!check_texts(path, file, error)) return false;
    if (!weights_check(path, file, program, error)) return false;
    const char *batch_size = safetensors_metadata(file, "batch_size");
    if (!batch_size || strtol(batch_size, NULL, 10) != program_step_samples(program))
        return error_set(error, "%s: the checkpoint was made with batch size %.20s, not %ld", path,
                         batch_size ? batch_size : "unknown", program_step_samples(program));
    long size = program->space_size[PROGRAM_OPTIMIZER], have = 0;
    int optimizer = safetensors_find(file, "optimizer");
    if (optimizer >= 0) have = safetensors_tensor(file, optimizer).elements;
    if (have != size)
        return error_set(error,
                         "%s: the checkpoint has %ld values of optimizer state, but the model %s "
                         "needs %ld (another optimizer?)",
                         path, have, program->name, size);
    return true;
}

bool checkpoint_load(const char *path, const struct program *program,
                     float *const space[PROGRAM_SPACES], struct checkpoint *checkpoint,
                     struct error *error) {
    struct safetensors *file = safetensors_open(path, error);
    if (!file) return false;
    struct checkpoint loaded = {0};
    bool fine = check_owner(path, file, program, error);
    for (int i = 0; fine && i < FIELDS; i++)
        fine = parse_field(path, file, &fields[i], &loaded, error);
    fine =
        fine && parse_lists(path, file, &loaded, error) && copy_recipe(path, file, &loaded, error);
    if (fine) {
        weights_copy(file, program, space);
        if (program->space_size[PROGRAM_OPTIMIZER] > 0)
            safetensors_copy(file, safetensors_find(file, "optimizer"), space[PROGRAM_OPTIMIZER]);
        *checkpoint = loaded;
    } else {
        checkpoint_free(&loaded);
    }
    safetensors_close(file);
    return fine;
}

void checkpoint_free(struct checkpoint *checkpoint) {
    free(checkpoint->history);
    free(checkpoint->callbacks);
    free(checkpoint->recipe);
    checkpoint->history = checkpoint->callbacks = NULL;
    checkpoint->recipe = NULL;
    checkpoint->history_rows = checkpoint->callback_numbers = 0;
}
