/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory that is wiped when it is let go: what clients send and get passes through it. Any thread. */
#ifndef VD_SERVICES_CRYPTO_REST_MEMORY_H
#define VD_SERVICES_CRYPTO_REST_MEMORY_H

#include <stddef.h>

/* NULL: there is none. */
void *vd_rest_alloc(size_t size);

/* NULL is fine. */
void vd_rest_free(void *memory);

#endif
