/* read_augmentation.c: how a training table changes its images; names and defaults are those of
 * Keras's ImageDataGenerator, where it has them. */
#include "reader.h"

#include <stddef.h>

const struct option *augmentation_options(int *count) {
#define FIELD(name) offsetof(struct augmentation, name)
    static const struct option options[] = {
        {"width_shift_range", OPTION_NOT_NEGATIVE, FIELD(width_shift_range), "0", false},
        {"height_shift_range", OPTION_NOT_NEGATIVE, FIELD(height_shift_range), "0", false},
        {"rotation_range", OPTION_NOT_NEGATIVE, FIELD(rotation_range), "0", false},
        {"zoom_range", OPTION_FRACTION, FIELD(zoom_range), "0", false},
        {"horizontal_flip", OPTION_BOOLEAN, FIELD(horizontal_flip), "false", false},
        {"vertical_flip", OPTION_BOOLEAN, FIELD(vertical_flip), "false", false},
        {"fill_mode", OPTION_FILL_MODE, FIELD(fill_mode), "'nearest'", false},
        {"cval", OPTION_NUMBER, FIELD(cval), "0", false},
        {"noise", OPTION_NOT_NEGATIVE, FIELD(noise), "0", false},
        {"cutout", OPTION_WHOLE, FIELD(cutout), "0", false},
    };
#undef FIELD
    *count = (int)(sizeof options / sizeof *options);
    return options;
}

bool read_augmentation(const struct reader *reader, const struct subject *subject,
                       struct augmentation *augmentation) {
    static const char *const none[] = {NULL};
    static const struct option option = {"augmentation", OPTION_AUGMENTATION, 0, NULL, false};
    struct subject inner = *subject;
    bool object = push_private(reader, -1) != NULL;
    if (object) lua_pop(reader->L, 1);
    if (!lua_istable(reader->L, -1) || object)
        return subject_error(reader, subject, "augmentation is %s; use %s", value_text(reader, -1),
                             option_expects(&option));
    inner.kind = "augmentation";
    inner.by_key = true;
    augmentation->file = inner.file;
    augmentation->line = inner.line;
    int count;
    const struct option *options = augmentation_options(&count);
    return read_options(reader, &inner, -1, options, count, none, augmentation);
}
