/* json.c: see json.h. */
#include "json.h"

#include <cjson/cJSON.h>
#include <math.h>

double json_number(const cJSON *object, const char *name) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(value) ? value->valuedouble : NAN;
}

long json_count(const cJSON *object, const char *name) {
    double value = json_number(object, name);
    return value >= 0 && value < 1e15 ? (long)value : 0;
}
