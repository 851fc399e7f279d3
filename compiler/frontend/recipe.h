/* recipe.h: the training table of a model as JSON, as it was understood: with all defaults. */
#ifndef LATHE_RECIPE_H
#define LATHE_RECIPE_H

#include "model.h"

struct cJSON;

/** Adds to a JSON object what the training table says of loss, metrics, optimizer, learning rate,
 * callbacks (those given: the command line may have others) and augmentation. Names are those of
 * the table; what Lua functions compute is "function". */
void recipe_add(struct cJSON *json, const struct training *training,
                const struct callback_list *callbacks);

#endif
