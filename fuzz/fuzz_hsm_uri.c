/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* PKCS #11 URIs: what is read can be written, and is then read as the same. */
#include "hardware/hsm/uri.h"

#include <string.h>

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[VD_HSM_URI_MAX + 2], written[4 * VD_HSM_URI_MAX], again[4 * VD_HSM_URI_MAX];
    struct vd_hsm_uri uri, second;
    struct vd_diag diag = {};

    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (vd_hsm_uri_parse(text, &uri, &diag) != VD_OK) {
        VD_FUZZ_ASSERT(diag.text[0] != '\0' && diag.has_offset && diag.offset <= size);
        return 0;
    }
    VD_FUZZ_ASSERT(vd_hsm_uri_write(&uri, written, sizeof(written)) == VD_OK);
    if (strlen(written) > VD_HSM_URI_MAX)
        return 0; /* percent signs made it longer than what is read */
    VD_FUZZ_ASSERT(vd_hsm_uri_parse(written, &second, NULL) == VD_OK);
    VD_FUZZ_ASSERT(vd_hsm_uri_write(&second, again, sizeof(again)) == VD_OK);
    VD_FUZZ_ASSERT(strcmp(written, again) == 0);
    return 0;
}
