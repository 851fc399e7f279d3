/* recipe.h: the training table of a model as JSON, as it was understood: with all defaults. */
#ifndef LATHE_RECIPE_H
#define LATHE_RECIPE_H

#include "model.h"
#include "../../runtime/dataset.h"

struct cJSON;

/** Adds to a JSON object what the training table says of loss, metrics, optimizer, learning rate,
 * callbacks (those given: the command line may have others) and augmentation. Names are those of
 * the table; what Lua functions compute is "function". */
void recipe_add(struct cJSON *json, const struct training *training,
                const struct callback_list *callbacks);

/** What decides how a training goes on, as lines of text, "optimizer: sgd {...}" and so on: two
 * trainings with the same text can share a checkpoint. Batch size, data and callbacks are not among
 * them; the split is that of the run. Lua functions are there as what they compute. */
const char *recipe_text(struct arena *arena, const struct model *model,
                        const struct split_options *split);

#endif
