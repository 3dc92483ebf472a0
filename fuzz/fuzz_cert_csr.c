/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requests and certificates from outside: refused, or what was read keeps to the limits. */
#include "tools/veridian/key/cert_csr.h"

#include "fuzz/fuzz.h"

static void read_request(const uint8_t *data, size_t size)
{
    STACK_OF(GENERAL_NAME) *names = NULL;
    X509_REQ *request = NULL;

    if (vd_cert_csr_read(data, size, &request, NULL) != VD_OK)
        return;
    VD_FUZZ_ASSERT(size <= VD_CERT_CSR_MAX);
    VD_FUZZ_ASSERT(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1);
    VD_FUZZ_ASSERT(X509_NAME_entry_count(X509_REQ_get_subject_name(request)) <=
                   (int)VD_CERT_NAME_PARTS_MAX);
    if (vd_cert_csr_names(request, &names, NULL) == VD_OK)
        VD_FUZZ_ASSERT(names == NULL || sk_GENERAL_NAME_num(names) <= (int)VD_CERT_ALT_NAMES_MAX);
    GENERAL_NAMES_free(names);
    X509_REQ_free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    X509 *cert = NULL;

    read_request(data, size);
    if (vd_cert_read(data, size, &cert, NULL) != VD_OK)
        return 0;
    VD_FUZZ_ASSERT(size <= VD_CERT_MAX);
    VD_FUZZ_ASSERT(X509_get_ext_count(cert) <= (int)VD_CERT_EXTENSIONS_MAX);
    (void)!vd_cert_key_check(X509_get0_pubkey(cert), NULL);
    X509_free(cert);
    return 0;
}
