/* run_pictures.c: the pictures of a run, from the files in its folder (see run_folder.h). */
#include "run_folder.h"
#include "../../runtime/files.h"
#include "../../runtime/json.h"
#include "../../runtime/plots.h"
#include "../../runtime/safetensors.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FILTERS = 64, MISTAKES_IN_A_ROW = 5 };
static const char mistakes_file[] = "worst_mistakes.safetensors",
                  weights_file[] = "best.safetensors";

/* The validation of each fold. */
static bool draw_folds(const struct run_folder *run, const char *path, struct error *error) {
    const struct history *const *histories = run_histories(run);
    struct compared_run *folds = ARENA_ARRAY(run->arena, struct compared_run, run->fold_count);
    for (int i = 0; i < run->fold_count; i++)
        folds[i] =
            (struct compared_run){arena_format(run->arena, "fold %d", i + 1), &histories[i], 1};
    return plot_comparison(path, folds, run->fold_count, error);
}

bool run_draw_curves(const struct run_folder *run, const char *path, struct error *error) {
    if (run->fold_count) return draw_folds(run, path, error);
    if (run->history.count == 0) return false;
    return plot_learning_curves(path, &run->history, run_text(run, NULL, "model"), error);
}

bool run_draw_confusion(const struct run_folder *run, const char *path, struct error *error) {
    if (!run->has_confusion) return false;
    return plot_confusion(path, &run->confusion, run->names.names, run_text(run, NULL, "model"),
                          error);
}

static struct safetensors *open_tensors(const struct run_folder *run, const char *name,
                                        struct error *error) {
    char *path = files_join(run->path, name);
    struct safetensors *file = path && files_exist(path) ? safetensors_open(path, error) : NULL;
    free(path);
    return file;
}

bool run_check_pictures(const struct run_folder *run, struct error *error) {
    const char *const names[] = {mistakes_file, weights_file};
    for (size_t i = 0; i < sizeof names / sizeof *names && !error->text[0]; i++)
        safetensors_close(open_tensors(run, names[i], error));
    return !error->text[0];
}

static float *copy_tensor(const struct run_folder *run, const struct safetensors *file,
                          int number) {
    float *values = ARENA_ARRAY(run->arena, float, safetensors_tensor(file, number).elements);
    safetensors_copy(file, number, values);
    return values;
}

/* --- mistakes --- */

/* Height, width and channels of pictures of this shape. */
static bool picture_shape(const long *size, int rank, struct image_grid *grid) {
    if (rank < 2 || rank > 3) return false;
    grid->height = size[0];
    grid->width = size[1];
    grid->channels = rank == 3 ? size[2] : 1;
    return grid->channels == 1 || grid->channels == 3;
}

static const char *const *captions(const struct run_folder *run, const cJSON *mistakes, int count) {
    const char **lines = ARENA_ARRAY(run->arena, const char *, 2 * count);
    for (int i = 0; i < count; i++) {
        const cJSON *mistake = cJSON_GetArrayItem(mistakes, i);
        int true_class = (int)fmax(json_number(mistake, "true"), -1);
        int predicted = (int)fmax(json_number(mistake, "predicted"), -1);
        lines[2 * i] = arena_format(run->arena, "is %s", run_class(run, true_class));
        lines[2 * i + 1] = arena_format(run->arena, "seen as %s %.2f", run_class(run, predicted),
                                        json_number(mistake, "predicted_value"));
    }
    return lines;
}

bool run_draw_mistakes(const struct run_folder *run, const char *path, struct error *error) {
    const cJSON *mistakes = cJSON_GetObjectItemCaseSensitive(run->record, "worst_mistakes");
    int count = cJSON_GetArraySize(mistakes);
    struct image_grid grid = {.columns = MISTAKES_IN_A_ROW};

    if (count == 0) return false;
    struct safetensors *file = open_tensors(run, mistakes_file, error);
    int number = file ? safetensors_find(file, "samples") : -1;
    bool drawn = false;
    if (number >= 0) {
        struct tensor_view view = safetensors_tensor(file, number);
        grid.count = count < view.size[0] ? count : (int)view.size[0];
        if (grid.count < grid.columns) grid.columns = grid.count;
        if (picture_shape(view.size + 1, view.rank - 1, &grid)) {
            grid.pixels = copy_tensor(run, file, number);
            grid.captions = captions(run, mistakes, grid.count);
            drawn = plot_images(path, &grid, "worst mistakes", error);
        }
    }
    safetensors_close(file);
    return drawn;
}

/* --- filters --- */

/* The first layer with a kernel. */
static const char *first_kernel(const struct run_folder *run) {
    const cJSON *layer;
    cJSON_ArrayForEach(layer, cJSON_GetObjectItemCaseSensitive(run->record, "layers")) {
        const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(layer, "type"));
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(layer, "name"));
        if (type && name && (strcmp(type, "conv2d") == 0 || strcmp(type, "dense") == 0))
            return arena_format(run->arena, "%s/kernel", name);
    }
    return "";
}

/* The shape of a sample, or of what a convolution sees of it; false: it is no picture. */
static bool filter_shape(const struct run_folder *run, const struct tensor_view *view,
                         struct image_grid *grid) {
    long size[3];
    int rank = 0;
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(run->record, "data"), *axis;

    if (view->rank == 4) return picture_shape(view->size, 3, grid);
    cJSON_ArrayForEach(axis, cJSON_GetObjectItemCaseSensitive(data, "shape")) {
        if (rank == 3 || !(axis->valuedouble >= 1 && axis->valuedouble <= 1e6)) return false;
        size[rank++] = (long)axis->valuedouble;
    }
    return view->rank == 2 && picture_shape(size, rank, grid) &&
           view->size[0] == grid->height * grid->width * grid->channels;
}

/* Kernels are stored with the filters innermost: [height][width][channels][filters]. */
static const float *filters_outside(const struct run_folder *run, const float *kernel,
                                    const struct image_grid *grid, long filters) {
    long size = grid->height * grid->width * grid->channels;
    float *pixels = ARENA_ARRAY(run->arena, float, grid->count *size);
    for (long f = 0; f < grid->count; f++)
        for (long i = 0; i < size; i++) pixels[f * size + i] = kernel[i * filters + f];
    return pixels;
}

bool run_draw_filters(const struct run_folder *run, const char *path, struct error *error) {
    const char *name = first_kernel(run);
    struct safetensors *file = open_tensors(run, weights_file, error);
    int number = file ? safetensors_find(file, name) : -1;
    struct image_grid grid = {0};
    bool drawn = false;

    if (number >= 0) {
        struct tensor_view view = safetensors_tensor(file, number);
        long filters = view.size[view.rank - 1];
        if (filter_shape(run, &view, &grid)) {
            grid.count = filters < MOST_FILTERS ? (int)filters : MOST_FILTERS;
            grid.columns = grid.count < 8 ? grid.count : grid.count <= 16 ? 8 : 12;
            grid.pixels = filters_outside(run, copy_tensor(run, file, number), &grid, filters);
            const char *title =
                arena_format(run->arena, grid.count < filters ? "%s: %d of %ld" : "%s: %d", name,
                             grid.count, filters);
            drawn = plot_filters(path, &grid, title, error);
        }
    }
    safetensors_close(file);
    return drawn;
}
