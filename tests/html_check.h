/* html_check.h: whether a page is well-formed and needs nothing but itself; knows nothing of how it
 * is made. */
#ifndef LATHE_TESTS_HTML_CHECK_H
#define LATHE_TESTS_HTML_CHECK_H

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { HTML_MOST_OPEN = 64 };

/* The end of a tag that begins at `tag`, behind its attributes, whose values stand in quotes; NULL
 * when it has none. */
static const char *html_tag_end(const char *tag) {
    char quote = '\0';
    for (; *tag; tag++) {
        if (quote ? *tag == quote : *tag == '"' || *tag == '\'') quote = quote ? '\0' : *tag;
        if (!quote && *tag == '>') return tag;
        if (!quote && tag[0] == '<' && tag[1] != '/' && tag[1] != '!' && !isalpha(tag[1]))
            return NULL;
    }
    return NULL;
}

/* What is wrong with the page; NULL: each element is closed in order, and no text is left
 * unescaped. */
static const char *html_malformed(const char *page) {
    static char problem[200];
    char open[HTML_MOST_OPEN][24];
    int depth = 0, elements = 0;

    if (strncmp(page, "<!DOCTYPE html>", 15) != 0) return "it does not begin with <!DOCTYPE html>";
    for (const char *c = page + 15; *c; c++) {
        if (*c == '>') return "a > stands in the text";
        if (*c == '&') {
            size_t length = strspn(c + 1, "#abcdefghijklmnopqrstuvwxyz0123456789");
            if (length == 0 || c[1 + length] != ';') return "an & is not escaped";
        }
        if (*c != '<') continue;
        char name[24];
        int closing = c[1] == '/';
        int length = (int)strspn(c + 1 + closing, "abcdefghijklmnopqrstuvwxyz0123456789");
        const char *end = html_tag_end(c + 1);
        if (length == 0 || length > 20 || !end) return "a tag is no tag";
        snprintf(name, sizeof name, "%.*s", length, c + 1 + closing);
        elements++;
        if (closing) {
            if (depth == 0 || strcmp(open[depth - 1], name) != 0) {
                snprintf(problem, sizeof problem, "</%s> closes what is not open", name);
                return problem;
            }
            depth--;
        } else if (end[-1] != '/') {
            if (depth == HTML_MOST_OPEN) return "too many open elements";
            strcpy(open[depth++], name);
        }
        c = end;
    }
    if (depth > 0) {
        snprintf(problem, sizeof problem, "<%s> is not closed", open[depth - 1]);
        return problem;
    }
    return elements < 20 ? "there is hardly anything in it" : NULL;
}

/* What the page would fetch from elsewhere, or run; NULL: nothing. */
static const char *html_dependence(const char *page) {
    static const char *const forbidden[] = {"http://", "https://", "<script", "@import",
                                            "url(",    "<iframe",  "src=\"/", "javascript:"};
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (strstr(page, forbidden[i])) return forbidden[i];
    for (const char *c = page; (c = strstr(c, "src=\"")); c++)
        if (strncmp(c + 5, "data:image/", 11) != 0) return "a src that is not data:image/";
    return NULL;
}

static int html_count(const char *page, const char *text) {
    int count = 0;
    for (const char *c = page; (c = strstr(c, text)); c++) count++;
    return count;
}

#endif
