/* interrupt.h: Ctrl-C (SIGINT) and SIGTERM as a flag that long work polls. */
#ifndef LATHE_INTERRUPT_H
#define LATHE_INTERRUPT_H

#include <stdbool.h>

/** From now on the first SIGINT or SIGTERM only sets the flag; a second one ends the process as
 * usual. A signal that the parent had ignored stays ignored. Clears the flag. */
void interrupt_catch(void);

/** Gives the signals back their former meaning. */
void interrupt_release(void);

/** True once a signal has come since interrupt_catch. */
bool interrupt_requested(void);

#endif
