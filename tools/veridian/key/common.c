/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "tools/veridian/key/common.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "lib/diagf.h"
#include "lib/hash.h"
#include "lib/sys.h"
#include "tools/veridian/key/names.h"

#define NAMES_MAX 4096u /* looked at for a hint */

vd_status vd_key_run_begin(struct vd_key_run *run, const struct vd_key_service *service,
                           struct vd_diag *diag)
{
    struct vd_keyclient_options options = {.socket = service->socket};

    return vd_keyclient_new(&options, &run->client, diag);
}

void vd_key_run_done(struct vd_key_run *run)
{
    vd_keyclient_key_free(run->key);
    vd_keyclient_free(run->client);
    *run = (struct vd_key_run){};
}

struct names {
    char (*rows)[VD_KEY_NAME_MAX + 1];
    uint32_t count;
};

static const char *next_name(const void *ctx, uint32_t i)
{
    const struct names *names = ctx;

    return i < names->count ? names->rows[i] : NULL;
}

/* All names, or the first of very many. */
static void load_names(struct vd_keyclient *client, struct names *names)
{
    struct vd_key_info *infos = calloc(VD_KEY_LIST_MAX, sizeof(*infos));
    struct vd_key_info last;
    struct vd_keyclient_page page = {.infos = infos, .more = true};

    names->rows = calloc(NAMES_MAX, sizeof(*names->rows));
    while (infos != NULL && names->rows != NULL && page.more &&
           vd_keyclient_list(client, &page, NULL) == VD_OK && page.count != 0) {
        for (uint32_t i = 0; i < page.count && names->count < NAMES_MAX; i++)
            vd_copy(names->rows[names->count++], infos[i].attributes.name, sizeof(names->rows[0]));
        if (names->count == NAMES_MAX)
            break;
        last = infos[page.count - 1];
        page.after = &last;
    }
    free(infos);
}

vd_status vd_key_open(struct vd_keyclient *client, const char *name, struct vd_keyclient_key **ret,
                      struct vd_diag *diag)
{
    vd_status status = vd_keyclient_open(client, name, ret, diag);
    struct names names = {};
    const char *near;

    if (status != VD_E_NOT_FOUND)
        return status;
    load_names(client, &names);
    near = names.rows != NULL ? vd_cli_nearest(name, next_name, &names) : NULL;
    if (near != NULL)
        vd_diagf_hint(diag, "did you mean '%s'?", near);
    else
        vd_diag_hint(diag, "'veridian key list' shows the keys that there are");
    free(names.rows);
    return status;
}

vd_status vd_key_run_open(struct vd_key_run *run, const struct vd_key_service *service,
                          const char *name, struct vd_diag *diag)
{
    VD_TRY(vd_key_run_begin(run, service, diag));
    return vd_key_open(run->client, name, &run->key, diag);
}

static void usages_text(uint32_t usages, char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    for (uint32_t bit = 1; bit <= VD_ALG_USAGE_ALL && len < size; bit <<= 1)
        if ((usages & bit) != 0)
            len += (size_t)snprintf(ret + len, size - len, "%s%s", len != 0 ? "," : "",
                                    vd_key_usage_name(bit));
}

void vd_key_explain(const struct vd_keyclient_key *key, vd_status status, uint32_t usage,
                    struct vd_diag *diag)
{
    const struct vd_key_info *info = vd_keyclient_key_info(key);
    char text[160];

    if (status != VD_E_KEY_USAGE || (info->attributes.usages & usage) != 0)
        return;
    usages_text(info->attributes.usages, text, sizeof(text));
    vd_diagf_hint(diag, "the key's usages are %s: '%s' is missing", text, vd_key_usage_name(usage));
}

static bool is_standard(const char *path)
{
    return path == NULL || strcmp(path, "-") == 0;
}

vd_status vd_key_read(const char *path, size_t max, struct vd_bytes *ret, struct vd_diag *diag)
{
    return is_standard(path) ? vd_file_load_fd(STDIN_FILENO, "standard input", max, ret, diag)
                             : vd_file_load(path, max, ret, diag);
}

vd_status vd_key_read_optional(const char *path, size_t max, struct vd_bytes *ret,
                               struct vd_diag *diag)
{
    return path == NULL ? VD_OK : vd_key_read(path, max, ret, diag);
}

void vd_key_bytes_wipe(struct vd_bytes *bytes)
{
    if (bytes->data != NULL)
        vd_wipe(bytes->data, bytes->size);
    vd_bytes_free(bytes);
}

/* Progress */

#define SHOW_EVERY_NS 100'000'000u
#define SHOW_AFTER_NS 1'000'000'000u
#define BAR           40u

static void show(const struct vd_key_progress *p)
{
    double seconds = (double)(p->shown_ns - p->started_ns) / 1e9;
    double rate = (double)p->done / seconds / 1e6;
    uint64_t filled = p->total != 0 ? p->done * BAR / p->total : 0;
    char bar[BAR + 1];

    if (p->total == 0) {
        fprintf(stderr, "\r%10.1f MB  %8.1f MB/s ", (double)p->done / 1e6, rate);
        return;
    }
    for (uint32_t i = 0; i < BAR; i++)
        bar[i] = i < filled ? '#' : '-';
    bar[BAR] = '\0';
    fprintf(stderr, "\r[%s] %3.0f %%  %8.1f MB/s ", bar, 100.0 * (double)p->done / (double)p->total,
            rate);
}

void vd_key_progress_add(struct vd_key_progress *p, uint64_t bytes)
{
    uint64_t now = vd_sys_monotonic_ns();

    p->done += bytes;
    if (p->started_ns == 0)
        p->started_ns = now;
    if (now - p->started_ns < SHOW_AFTER_NS || now - p->shown_ns < SHOW_EVERY_NS ||
        !isatty(STDERR_FILENO))
        return;
    p->shown_ns = now;
    show(p);
}

void vd_key_progress_end(struct vd_key_progress *p)
{
    if (p->shown_ns != 0)
        fputs("\r\033[K", stderr);
    p->shown_ns = 0;
}

/* Infos */

static void print_time(const char *name, uint64_t seconds)
{
    char text[VD_KEY_TIME_SIZE];

    if (seconds == 0)
        return;
    vd_key_time_print(seconds, text);
    printf("%-16s %s\n", name, text);
}

void vd_key_print_info(const struct vd_key_info *info)
{
    const struct vd_key_attributes *a = &info->attributes;
    char usages[160], id[2 * VD_KEY_ID_SIZE + 1];

    vd_hex_encode(info->id, VD_KEY_ID_SIZE, id);
    usages_text(a->usages, usages, sizeof(usages));
    printf("%-16s %s\n%-16s %s\n%-16s %s\n%-16s %s\n", "name", a->name, "id", id, "type",
           vd_key_type_name(a->type), "state", vd_key_state_told(info));
    printf("%-16s %s\n%-16s %s\n%-16s %s\n", "domain", a->domain, "service", a->service, "usages",
           usages);
    if (a->label[0] != '\0')
        printf("%-16s %s\n", "label", a->label);
    printf("%-16s %s%s\n", "exportable", (a->flags & VD_KEY_NON_EXPORTABLE) != 0 ? "no" : "yes",
           (a->flags & VD_KEY_FIXED) != 0 ? "; attributes are fixed" : "");
    print_time("created", info->created);
    print_time("not before", a->not_before);
    print_time("not after", a->not_after);
    print_time("destroyed at", info->destroy_at);
    if (a->usage_limit != 0)
        printf("%-16s %llu of %llu\n", "used", (unsigned long long)info->used,
               (unsigned long long)a->usage_limit);
    if (a->min_decrypt_version > 1)
        printf("%-16s from version %u\n", "decrypts", a->min_decrypt_version);
}

static json_t *time_json(uint64_t seconds)
{
    char text[VD_KEY_TIME_SIZE];

    if (seconds == 0)
        return json_null();
    vd_key_time_print(seconds, text);
    return json_string(text);
}

static json_t *usages_json(uint32_t usages)
{
    json_t *list = json_array();

    for (uint32_t bit = 1; bit <= VD_ALG_USAGE_ALL; bit <<= 1)
        if ((usages & bit) != 0)
            json_array_append_new(list, json_string(vd_key_usage_name(bit)));
    return list;
}

json_t *vd_key_info_json(const struct vd_key_info *info)
{
    const struct vd_key_attributes *a = &info->attributes;
    char id[2 * VD_KEY_ID_SIZE + 1];

    vd_hex_encode(info->id, VD_KEY_ID_SIZE, id);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I}",
        "name", a->name, "id", id, "type", vd_key_type_name(a->type), "state",
        vd_key_state_name(info->state), "domain", a->domain, "service", a->service, "label",
        a->label, "usages", usages_json(a->usages), "exportable",
        (a->flags & VD_KEY_NON_EXPORTABLE) == 0, "fixed", (a->flags & VD_KEY_FIXED) != 0,
        "newest_version", (json_int_t)info->versions, "min_decrypt_version",
        (json_int_t)a->min_decrypt_version, "created", time_json(info->created), "not_before",
        time_json(a->not_before), "not_after", time_json(a->not_after), "destroy_at",
        time_json(info->destroy_at), "usage_limit", (json_int_t)a->usage_limit, "used",
        (json_int_t)info->used);
}

/* PEM */

vd_status vd_key_write_pem(const char *path, const char *name, const struct vd_keyclient_bytes *der,
                           struct vd_diag *diag)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    vd_status status;
    long size;

    if (bio == NULL || PEM_write_bio(bio, name, "", der->data, (long)der->size) <= 0) {
        BIO_free(bio);
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "cannot write PEM");
    }
    size = BIO_get_mem_data(bio, &text);
    status = vd_key_write(path, text, (size_t)size, VD_KEY_MODE_PUBLIC, diag);
    BIO_free(bio);
    return status;
}

static const char *one_of(const char *const *names, const char *name)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return *names;
    return NULL;
}

vd_status vd_key_from_pem(struct vd_bytes *bytes, const char *const *names, const char **ret_name,
                          struct vd_diag *diag)
{
    static const char begin[] = "-----BEGIN ";
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long size = 0;
    BIO *bio;
    bool read;

    *ret_name = NULL;
    if (bytes->size < sizeof(begin) ||
        memmem(bytes->data, bytes->size, begin, sizeof(begin) - 1) == NULL)
        return VD_OK;
    bio = BIO_new_mem_buf(bytes->data, (int)bytes->size);
    read = bio != NULL && PEM_read_bio(bio, &name, &header, &der, &size) == 1;
    BIO_free(bio);
    *ret_name = read ? one_of(names, name) : NULL;
    if (*ret_name != NULL && header[0] == '\0') {
        struct vd_bytes copy = {malloc((size_t)size + 1), (size_t)size};
        if (copy.data != NULL)
            vd_copy(copy.data, der, copy.size);
        vd_key_bytes_wipe(bytes);
        *bytes = copy;
    }
    read = *ret_name != NULL && header[0] == '\0' && bytes->data != NULL;
    OPENSSL_clear_free(der, (size_t)size);
    OPENSSL_free(name);
    OPENSSL_free(header);
    return read ? VD_OK
                : vd_diagf(diag, VD_E_INVALID, "this is no PEM of a %s without a passphrase",
                           names[0]);
}
