/* json.h: reading numbers of JSON objects that may be damaged. */
#ifndef LATHE_JSON_H
#define LATHE_JSON_H

struct cJSON;

/** The number of this name in an object (also NULL); NAN where there is none. */
double json_number(const struct cJSON *object, const char *name);

/** The same as a count, rounded down; 0 where there is none, or one below 0 or from 1e15 on. */
long json_count(const struct cJSON *object, const char *name);

#endif
