/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "services/crypto/rest/memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/base/mem.h"

struct head {
    alignas(max_align_t) size_t size;
};

void *vd_rest_alloc(size_t size)
{
    struct head *head;

    if (size > SIZE_MAX - sizeof(*head))
        return NULL;
    head = malloc(sizeof(*head) + size);
    if (head == NULL)
        return NULL;
    head->size = size;
    return head + 1;
}

void vd_rest_free(void *memory)
{
    struct head *head = memory;

    if (head == NULL)
        return;
    head--;
    vd_wipe(memory, head->size);
    free(head);
}
