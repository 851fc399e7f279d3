/* html.c: pieces of HTML pages that need nothing but themselves (see report_html.h). */
#include "report_html.h"
#include "../../runtime/files.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char style[] =
    "body { font: 16px/1.5 system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; color: #24292f;\n"
    "  background: #f6f7f9; margin: 0; }\n"
    "main { max-width: 1060px; margin: 0 auto; padding: 32px 24px 64px; }\n"
    "h1 { font-size: 30px; margin: 0 0 4px; }\n"
    "h2 { font-size: 20px; margin: 0 0 12px; }\n"
    ".note { color: #57606a; font-size: 14px; margin: 0 0 16px; }\n"
    ".cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(120px, 1fr));\n"
    "  gap: 12px; margin: 20px 0; }\n"
    ".card, section { background: #fff; border: 1px solid #d8dee4; border-radius: 8px; }\n"
    ".card { padding: 12px 16px; }\n"
    ".card b { display: block; font-size: 24px; line-height: 1.3; font-variant-numeric:\n"
    "  tabular-nums; }\n"
    ".card span { color: #57606a; font-size: 13px; }\n"
    "section { padding: 20px 24px; margin: 16px 0; }\n"
    ".two { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr));\n"
    "  gap: 24px 32px; }\n"
    ".wide { overflow-x: auto; }\n"
    "table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric:\n"
    "  tabular-nums; }\n"
    "th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid #eaeef2;\n"
    "  vertical-align: top; }\n"
    "th { font-weight: 600; color: #57606a; }\n"
    "th.number, td.number { text-align: right; }\n"
    "td.number { white-space: nowrap; }\n"
    ".best { font-weight: 700; }\n"
    "img { max-width: 100%; height: auto; display: block; margin: 0 auto; }\n"
    /* drawn with twice the pixels */
    "img[src^='data:image/png'] { max-width: min(100%, 780px); }\n"
    "pre { background: #f6f8fa; border: 1px solid #eaeef2; border-radius: 6px; padding: 12px "
    "14px;\n"
    "  font: 13px/1.45 ui-monospace, 'DejaVu Sans Mono', monospace; overflow-x: auto;\n"
    "  margin: 0 0 12px; }\n"
    ".command { white-space: pre-wrap; overflow-wrap: anywhere; }\n"
    "@media print { body { background: #fff; } section { break-inside: avoid; } }\n";

void html_escape(struct text *html, const char *text) {
    for (; *text; text++) switch (*text) {
        case '&': text_put(html, "&amp;"); break;
        case '<': text_put(html, "&lt;"); break;
        case '>': text_put(html, "&gt;"); break;
        case '"': text_put(html, "&quot;"); break;
        case '\'': text_put(html, "&#39;"); break;
        default: /* HTML has no control characters */
            text_add(html, "%c",
                     (unsigned char)*text >= ' ' || *text == '\n' || *text == '\t' ? *text : ' ');
        }
}

void html_begin(struct text *html, const char *title) {
    text_put(html, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                   /* a browser asks for an icon, were there none */
                   "<link rel=\"icon\" href=\"data:,\"/>\n<title>");
    html_escape(html, title);
    text_add(html, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", style);
}

void html_end(struct text *html) {
    text_put(html, "</main>\n</body>\n</html>\n");
}

void html_image(struct text *html, const char *uri, const char *description) {
    text_put(html, "<img alt=\"");
    html_escape(html, description);
    text_put(html, "\" src=\"");
    text_put(html, uri);
    text_put(html, "\"/>\n");
}

/* --- pictures --- */

/* RFC 4648, section 4 */
static char *base64(struct arena *arena, const char *prefix, const uint8_t *data, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t start = strlen(prefix);
    char *text = arena_alloc(arena, start + (size + 2) / 3 * 4 + 1), *out = text + start;

    memcpy(text, prefix, start);
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)data[i] << 16;
        if (i + 1 < size) group |= (uint32_t)data[i + 1] << 8;
        if (i + 2 < size) group |= data[i + 2];
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = i + 1 < size ? digits[group >> 6 & 63] : '=';
        *out++ = i + 2 < size ? digits[group & 63] : '=';
    }
    *out = '\0';
    return text;
}

const char *html_picture_file(struct arena *arena, const char *path, struct error *error) {
    size_t size, length = strlen(path);
    bool is_svg = length > 4 && strcmp(path + length - 4, ".svg") == 0;
    char *data = files_read(path, &size, error);
    const char *uri = NULL;

    if (data)
        uri = base64(arena, is_svg ? "data:image/svg+xml;base64," : "data:image/png;base64,",
                     (const uint8_t *)data, size);
    free(data);
    return uri;
}

const char *html_picture(struct arena *arena, const char *suffix,
                         bool (*draw)(const void *context, const char *path, struct error *error),
                         const void *context, struct error *error) {
    const char *temporary = getenv("TMPDIR"), *uri = NULL;
    if (!temporary || *temporary != '/') temporary = "/tmp";
    char *path = arena_format(arena, "%s/lathe-XXXXXX%s", temporary, suffix);
    int file = mkstemps(path, (int)strlen(suffix));

    if (file < 0) {
        error_set(error, "cannot make a file in %s: %s", temporary, strerror(errno));
        return NULL;
    }
    close(file);
    if (draw(context, path, error)) uri = html_picture_file(arena, path, error);
    unlink(path);
    return uri;
}
