/* print.c: the graph for --dump, one tensor a line (see graph.h). */
#include "primitive.h"

static const char *const space_names[] = {
    [SPACE_TRAINABLE] = "trainable",
    [SPACE_STATE] = "state",
    [SPACE_OPTIMIZER] = "optimizer",
};

void graph_print(struct text *text, const struct graph *graph) {
    for (int t = 0; t < graph->tensor_count; t++) {
        const struct tensor *tensor = graph->tensors[t];
        text_add(text, "%%%d ", tensor->number);
        shape_print(text, &tensor->shape);
        text_put(text, " = ");
        primitive_rules(tensor->primitive)->print(text, tensor);
        if (tensor->name) text_add(text, "  # %s", tensor->name);
        text_put(text, "\n");
    }
    for (int i = 0; i < graph->output_count; i++)
        text_add(text, "output %s = %%%d\n", graph->outputs[i].name,
                 graph->outputs[i].tensor->number);
    for (int i = 0; i < graph->update_count; i++) {
        const struct update *update = &graph->updates[i];
        text_add(text, "update %s[%ld, %ld) = %%%d\n", space_names[update->space], update->offset,
                 update->offset + shape_elements(&update->value->shape), update->value->number);
    }
}
