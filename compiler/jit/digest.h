/* digest.h: SHA-256 (FIPS 180-4), by which the cache names and checks what it keeps. */
#ifndef LATHE_DIGEST_H
#define LATHE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 32 };

struct digest {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
};

void digest_begin(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t length);
void digest_end(struct digest *digest, unsigned char result[DIGEST_BYTES]);

#endif
