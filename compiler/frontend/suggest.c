/* suggest.c: the closest known name (see suggest.h). */
#include "suggest.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { LONGEST = 40 };

static int least(int a, int b) {
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b. */
static int edit_distance(const char *a, const char *b) {
    int rows = (int)strlen(a), columns = (int)strlen(b);
    if (rows > LONGEST || columns > LONGEST) return LONGEST;
    int table[LONGEST + 1][LONGEST + 1];
    for (int i = 0; i <= rows; i++) table[i][0] = i;
    for (int j = 0; j <= columns; j++) table[0][j] = j;
    for (int i = 1; i <= rows; i++) {
        for (int j = 1; j <= columns; j++) {
            int cost = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            cost = least(cost, least(table[i - 1][j], table[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost = least(cost, table[i - 2][j - 2] + 1);
            table[i][j] = cost;
        }
    }
    return table[rows][columns];
}

/* "lr" for "learning_rate" */
static bool are_initials(const char *given, const char *name) {
    bool start = true;
    for (; *name; name++) {
        if (start && *given++ != *name) return false;
        start = *name == '_';
    }
    return *given == '\0';
}

/* "sparse_crossentropy" for "sparse_categorical_crossentropy": the given letters in their order */
static bool is_part(const char *given, const char *name) {
    if (*given != *name) return false;
    for (; *name && *given; name++) given += *given == *name;
    return *given == '\0';
}

struct suggestion suggestion_for(const char *given) {
    int length = (int)strlen(given);
    int most = length < 6 ? 1 : length / 3;
    return (struct suggestion){.given = given, .best = NULL, .distance = most + 1};
}

void suggestion_offer(struct suggestion *suggestion, const char *name) {
    const char *given = suggestion->given;
    size_t length = strlen(given), shorter = strlen(name);
    if (length < shorter) shorter = length;
    int distance = edit_distance(given, name);
    if (length < 3) distance = LONGEST; /* two letters are like many names */
    if (are_initials(given, name)) distance = 1;
    if (length >= 6 && is_part(given, name)) distance = least(distance, 2);
    if (shorter >= 4 && strncmp(given, name, shorter) == 0) distance = least(distance, 1);
    if (distance >= suggestion->distance) return;
    suggestion->best = name;
    suggestion->distance = distance;
}
