/* board.h: what a program needs on a bare Cortex-M: text on the debugger's console by semihosting,
 * and the depth of its stack. main() is called by startup.c; its result is the exit status. */
#ifndef BOARD_H
#define BOARD_H

void put_text(const char *text);

void put_integer(long value);

/** Prints a number >= 0 below 2^31 rounded to so many decimals, at most 6. */
void put_decimal(double value, int decimals);

/** Bytes of the stack's region, and of these how many were ever used. */
unsigned long stack_size(void);
unsigned long stack_used(void);

#endif
