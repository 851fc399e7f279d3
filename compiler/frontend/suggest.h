/* suggest.h: "did you mean": the known name that is closest to a misspelt one. */
#ifndef LATHE_SUGGEST_H
#define LATHE_SUGGEST_H

struct suggestion {
    const char *given;
    const char *best; /* NULL: nothing offered is close enough */
    int distance;
};

/** Begins the search for a name like `given`. */
struct suggestion suggestion_for(const char *given);

/** Offers a known name; the string must outlive the suggestion. */
void suggestion_offer(struct suggestion *suggestion, const char *name);

#endif
