/* kernel_pools.h: what tests of the generated code share: pools of threads, and a compile cache of
 * their own. */
#ifndef LATHE_KERNEL_POOLS_H
#define LATHE_KERNEL_POOLS_H

#include "runtime/parallel.h"

#include <stdio.h>
#include <stdlib.h>

static struct pool *pools[2]; /* of 2 and 8 threads */
static char cache[] = "/tmp/lathe-test-kernels-XXXXXX";

static int start(void **state) {
    (void)state;
    struct error error;
    if (!mkdtemp(cache)) return -1;
    setenv("LATHE_CACHE", cache, 1);
    pools[0] = pool_new(2, &error);
    pools[1] = pool_new(8, &error);
    return pools[0] && pools[1] ? 0 : -1;
}

static int finish(void **state) {
    (void)state;
    char command[sizeof cache + 20];
    pool_free(pools[0]);
    pool_free(pools[1]);
    snprintf(command, sizeof command, "rm -rf '%s'", cache);
    return system(command);
}

#endif
