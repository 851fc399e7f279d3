/* plot_images.c: the gnuplot scripts of samples and of first-layer filters (see plots.h). */
#include "gnuplot.h"
#include "plots.h"

#include <math.h>

enum { CELL_WIDTH = 156, CELL_HEIGHT = 188, TITLE_HEIGHT = 40, MOSAIC_WIDTH = 640, GAP = 1 };

struct picture {
    const struct image_grid *grid;
    const char *title;
};

static int rows_of(const struct image_grid *grid) {
    return (grid->count + grid->columns - 1) / grid->columns;
}

static double clamp(double value, double least, double most) {
    return fmin(fmax(value, least), most);
}

static void put_title(FILE *script, const char *title) {
    gnuplot_quote(script, title);
    fputs(" textcolor rgb '" GNUPLOT_TEXT "'\n", script);
}

/* --- samples --- */

/* Every pixel as `x y value`, or `x y red green blue`. */
static void put_pixels(FILE *script, const struct image_grid *grid, int number) {
    const float *pixels = grid->pixels + number * grid->height * grid->width * grid->channels;

    fprintf(script, "$image%d << END\n", number);
    for (long y = 0; y < grid->height; y++)
        for (long x = 0; x < grid->width; x++) {
            fprintf(script, "%ld %ld", x, y);
            for (long c = 0; c < grid->channels; c++)
                fprintf(script, " %.0f", 255 * clamp((double)*pixels++, 0, 1));
            fputs("\n", script);
        }
    fputs("END\n", script);
}

static void write_images(FILE *script, const char *path, const char *output, const void *context) {
    const struct picture *picture = context;
    const struct image_grid *grid = picture->grid;
    int rows = rows_of(grid);

    gnuplot_head(script, path, output, CELL_WIDTH * grid->columns,
                 CELL_HEIGHT * rows + TITLE_HEIGHT);
    for (int i = 0; i < grid->count; i++) put_pixels(script, grid, i);
    fprintf(script,
            "unset key\nunset tics\nunset colorbox\nset border 15 linecolor rgb '" GNUPLOT_GRID
            "'\nset size ratio %.6f\nset cbrange [0:255]\nset palette gray\n"
            "set xrange [-0.5:%.1f]\nset yrange [%.1f:-0.5]\n"
            "set lmargin 1\nset rmargin 1\nset tmargin 1.2\nset bmargin 3.2\n"
            "set multiplot layout %d,%d title ",
            (double)grid->height / (double)grid->width, (double)grid->width - 0.5,
            (double)grid->height - 0.5, rows, grid->columns);
    put_title(script, picture->title);
    for (int i = 0; i < grid->count; i++) {
        fputs("set xlabel ", script);
        gnuplot_quote(script, grid->captions[2 * i]);
        fputs(".\"\\n\".", script);
        gnuplot_quote(script, grid->captions[2 * i + 1]);
        fprintf(script,
                " font ',8' offset 0,0.4 textcolor rgb '" GNUPLOT_TEXT "'\nplot $image%d %s\n", i,
                grid->channels == 3 ? "using 1:2:3:4:5 with rgbimage" : "using 1:2:3 with image");
    }
    fputs("unset multiplot\n", script);
}

bool plot_images(const char *path, const struct image_grid *grid, const char *title,
                 struct error *error) {
    struct picture picture = {grid, title};

    if (grid->count == 0) return error_set(error, "%s: there is nothing to draw", path);
    if (grid->channels != 1 && grid->channels != 3)
        return error_set(error, "%s: pictures have 1 or 3 channels, not %ld", path, grid->channels);
    return gnuplot_draw(path, &picture, write_images, error);
}

/* --- filters: one mosaic with a common scale --- */

static double largest(const struct image_grid *grid) {
    long size = grid->count * grid->height * grid->width * grid->channels;
    double most = 0;
    for (long i = 0; i < size; i++) most = fmax(most, fabs((double)grid->pixels[i]));
    return most > 0 ? most : 1;
}

static void put_mosaic(FILE *script, const struct image_grid *grid, double scale) {
    const float *pixels = grid->pixels;

    fputs("$filters << END\n", script);
    for (int i = 0; i < grid->count; i++)
        for (long y = 0; y < grid->height; y++)
            for (long x = 0; x < grid->width; x++) {
                fprintf(script, "%ld %ld", i % grid->columns * (grid->width + GAP) + x,
                        i / grid->columns * (grid->height + GAP) + y);
                for (long c = 0; c < grid->channels; c++, pixels++)
                    fprintf(script, " %.5g",
                            grid->channels == 3 ? 127.5 + 127.5 * (double)*pixels / scale
                                                : (double)*pixels);
                fputs("\n", script);
            }
    fputs("END\n", script);
}

static void write_filters(FILE *script, const char *path, const char *output, const void *context) {
    const struct picture *picture = context;
    const struct image_grid *grid = picture->grid;
    double width = (double)(grid->columns * (grid->width + GAP) - GAP), scale = largest(grid);
    double height = (double)(rows_of(grid) * (grid->height + GAP) - GAP);

    gnuplot_head(script, path, output, MOSAIC_WIDTH + 110,
                 (int)(MOSAIC_WIDTH * height / width) + TITLE_HEIGHT + 20);
    put_mosaic(script, grid, scale);
    fprintf(script,
            "unset key\nunset tics\nunset border\nset size ratio %.6f\n"
            "set cbrange [%.6g:%.6g]\nset cbtics textcolor rgb '" GNUPLOT_TEXT "'\n"
            "set palette defined (-1 '#2166ac', -0.5 '#92c5de', 0 '#f7f7f7', 0.5 '#f4a582', "
            "1 '#b2182b')\nset xrange [-0.5:%.1f]\nset yrange [%.1f:-0.5]\n",
            height / width, -scale, scale, width - 0.5, height - 0.5);
    if (grid->channels == 3) fputs("unset colorbox\n", script);
    fputs("set title ", script);
    put_title(script, picture->title);
    /* Each pixel as a box of its own: the gaps stay white. */
    if (grid->channels == 3)
        fputs("plot $filters using 1:2:(0.5):(0.5):(int($3)*65536+int($4)*256+int($5)) with "
              "boxxyerror fillstyle solid noborder linecolor rgb variable\n",
              script);
    else
        fputs("plot $filters using 1:2:(0.5):(0.5):3 with boxxyerror fillstyle solid noborder "
              "linecolor palette\n",
              script);
}

bool plot_filters(const char *path, const struct image_grid *grid, const char *title,
                  struct error *error) {
    struct picture picture = {grid, title};

    if (grid->count == 0) return error_set(error, "%s: there is nothing to draw", path);
    if (grid->channels != 1 && grid->channels != 3)
        return error_set(error, "%s: filters have 1 or 3 channels, not %ld", path, grid->channels);
    return gnuplot_draw(path, &picture, write_filters, error);
}
