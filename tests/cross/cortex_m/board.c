/* board.c: numbers as text. */
#include "board.h"

static void put_digits(unsigned long value, int least) {
    char text[16], *begin = text + sizeof text - 1;
    *begin = '\0';
    for (; value || least > 0; value /= 10, least--) *--begin = (char)('0' + value % 10);
    put_text(begin);
}

void put_integer(long value) {
    if (value < 0) put_text("-");
    put_digits(value < 0 ? 0UL - (unsigned long)value : (unsigned long)value, 1);
}

void put_decimal(double value, int decimals) {
    unsigned long whole, unit = 1;
    int i;
    for (i = 0; i < decimals; i++) unit *= 10;
    if (!(value >= 0.0 && value < 2147483647.0)) {
        put_text("(not a number to print)");
        return;
    }
    whole = (unsigned long)value;
    value = (value - (double)whole) * (double)unit + 0.5;
    if ((unsigned long)value == unit) whole++, value = 0.0;
    put_digits(whole, 1);
    put_text(".");
    put_digits((unsigned long)value, decimals);
}
