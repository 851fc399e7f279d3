/* host.c: stands in for startup.c where the same programs run on the machine that tests. */
#include "board.h"

#include <stdio.h>

void put_text(const char *text) {
    fputs(text, stdout);
}

unsigned long stack_size(void) {
    return 0;
}

unsigned long stack_used(void) {
    return 0;
}
