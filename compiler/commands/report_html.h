/* report_html.h: a run as HTML. */
#ifndef LATHE_REPORT_HTML_H
#define LATHE_REPORT_HTML_H

#include "../base/text.h"
#include "run_folder.h"

/* Pictures as data URIs; NULL: the run has no such picture. */
struct report_pictures {
    const char *curves, *confusion, *mistakes, *filters;
};

/** Draws the pictures of a run. False + message when gnuplot is missing or fails. */
bool report_draw_pictures(const struct run_folder *run, struct report_pictures *pictures,
                          struct error *error);

/** Appends the whole page: well-formed (each element is closed), no script, no address of anything
 * outside of it. */
void report_html(struct text *html, const struct run_folder *run,
                 const struct report_pictures *pictures);

/* --- sweep_html.c --- */

/** True for the folder of a sweep, also of one that has not ended. */
bool sweep_folder_is(struct arena *arena, const char *path);

/** Appends the page of a sweep: the ranking of its points, the picture of their scores if its
 * folder has it, how the best one is trained. False + message when the sweep has not ended. */
bool sweep_html(struct text *html, const char *path, bool *has_picture, struct error *error);

/* --- html.c: shared with `lathe compare` --- */

/** Returns a .png or .svg file as a data URI; NULL + message. */
const char *html_picture_file(struct arena *arena, const char *path, struct error *error);

/** Draws a picture into a temporary file of this suffix (".svg", ".png") and returns it as a data
 * URI; NULL, with a message unless there is nothing to draw. `context` goes to draw. */
const char *html_picture(struct arena *arena, const char *suffix,
                         bool (*draw)(const void *context, const char *path, struct error *error),
                         const void *context, struct error *error);

/** Appends text with what HTML gives a meaning escaped. */
void html_escape(struct text *html, const char *text);

/** The beginning of a page with the style of all of them, and its end. */
void html_begin(struct text *html, const char *title);
void html_end(struct text *html);

/** Appends a picture that fits the page; `description` is for those who do not see it. */
void html_image(struct text *html, const char *uri, const char *description);

#endif
