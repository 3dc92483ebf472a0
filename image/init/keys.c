/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The key service, and the steps that show it: a key that hangs on the state of the boot, which
 * one domain may use and another may not. What it keeps on the disk goes to the host; an image
 * that brings such a store from another boot shows that it does not open there.
 */
#define _GNU_SOURCE
#include "image/init/init.h"

#include "lib/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECURITYD   "/usr/sbin/veridian-securityd"
#define CRYPTOD     "/usr/sbin/veridian-cryptod"
#define VERIDIAN    "/usr/bin/veridian"
#define CONFINED    "/srv/showcase/veridian" /* the same program in domain probe_t */
#define TPM         "/dev/tpmrm0"
#define STORE       "/run/veridian/keys"
#define FOREIGN     "/srv/keys" /* of another boot */
#define PCRS        "4,7,8,9,11"
#define PLAIN       "/srv/showcase/public"
#define SEALED      "/tmp/sealed"
#define OPENED      "/tmp/opened"
#define START_TIME  60000 /* ms */
#define TOOL_TIME   30000
#define STORE_BYTES (16u << 20) /* of one of its files */

static const char *const store_files[] = {"root.key", "keys.db", NULL};

static void copy_store(const char *from, const char *to)
{
    char source[128], target[128];

    for (size_t i = 0; store_files[i] != NULL; i++) {
        VD_AUTO(vd_bytes_free) struct vd_bytes bytes = {};
        struct vd_diag diag = {};
        snprintf(source, sizeof(source), "%s/%s", from, store_files[i]);
        snprintf(target, sizeof(target), "%s/%s", to, store_files[i]);
        if (vd_file_load(source, STORE_BYTES, &bytes, &diag) != VD_OK ||
            vd_file_store(target, bytes.data, bytes.size, 0600, &diag) != VD_OK)
            vd_init_refuse_diag("init-keys", &diag);
    }
}

/* What the key service does without telling that it is ready: its exit code and last words. */
static void run_cryptod(struct vd_run *ret)
{
    static const char *const argv[] = {CRYPTOD, "--store", STORE, "--foreground", NULL};

    vd_init_run(argv, START_TIME, ret);
}

static pid_t start_cryptod(void)
{
    static const char *const argv[] = {
        CRYPTOD,        "--store",    STORE, "--pcrs", PCRS, "--label", "system_u:object_r:key_t",
        "--foreground", "--ready-fd", "3",   NULL};

    return vd_init_service(argv, START_TIME);
}

static void start_securityd(struct vd_init *init)
{
    static const char *const argv[] = {SECURITYD,
                                       "--store",
                                       "/run/veridian/security",
                                       "--policy",
                                       VD_INIT_POLICY,
                                       "--foreground",
                                       "--ready-fd",
                                       "3",
                                       NULL};

    init->securityd = vd_init_service(argv, START_TIME);
    if (init->securityd < 0)
        vd_init_refuse("init-security", "the security server cannot be started");
}

static bool same_content(const char *a, const char *b)
{
    VD_AUTO(vd_bytes_free) struct vd_bytes x = {};
    VD_AUTO(vd_bytes_free) struct vd_bytes y = {};

    return vd_file_load(a, 1 << 20, &x, NULL) == VD_OK &&
           vd_file_load(b, 1 << 20, &y, NULL) == VD_OK && x.size == y.size &&
           memcmp(x.data, y.data, x.size) == 0;
}

/* `veridian key VERB demo --in IN --out OUT`. */
static void use_key(const char *program, const char *verb, const char *in, const char *out,
                    struct vd_run *ret)
{
    const char *argv[] = {program, "key", verb, "demo", "--in", in, "--out", out, NULL};

    vd_init_run(argv, TOOL_TIME, ret);
}

static bool opens_again(void)
{
    struct vd_run run;

    (void)unlink(OPENED);
    use_key(VERIDIAN, "decrypt", SEALED, OPENED, &run);
    return run.code == 0 && same_content(PLAIN, OPENED);
}

static const char *first_line(struct vd_run *run)
{
    run->output[strcspn(run->output, "\n")] = '\0';
    return run->output;
}

static void step_sealed(struct vd_init *init)
{
    static const char *const create[] = {VERIDIAN, "key",         "create",           "demo",
                                         "--type", "aes-256-gcm", "--non-exportable", NULL};
    struct vd_run run;
    bool good;

    vd_init_run(create, TOOL_TIME, &run);
    good = run.code == 0;
    if (good) {
        use_key(VERIDIAN, "encrypt", PLAIN, SEALED, &run);
        good = run.code == 0 && !same_content(PLAIN, SEALED) && opens_again();
    }
    vd_init_step(init, "key-sealed", good, "%s%s",
                 good ? "made under a root key sealed to PCRs " PCRS
                        "; domain tool_t encrypts and decrypts with it"
                      : "the key cannot be used: ",
                 good ? "" : first_line(&run));
}

static void step_refused(struct vd_init *init)
{
    struct vd_run run;
    bool good;

    use_key(CONFINED, "decrypt", SEALED, "/tmp/stolen", &run);
    good =
        access("/tmp/stolen", F_OK) != 0 && run.code == (init->mode == VD_INIT_ENFORCING ? 1 : 0);
    vd_init_step(init, "key-refused", good, "root in domain probe_t: %s", first_line(&run));
}

static void step_again(struct vd_init *init)
{
    bool good;

    vd_init_stop(init->cryptod, START_TIME);
    init->cryptod = start_cryptod();
    good = init->cryptod > 0 && opens_again();
    vd_init_step(init, "key-again", good, "the service started anew in the same boot, the key %s",
                 good ? "opens what it sealed" : "does not open");
}

/* A store of another boot: the TPM does not give its root key out. */
static void step_gone(struct vd_init *init)
{
    struct vd_run run;
    bool good;

    if (mkdir(STORE, 0700) != 0)
        vd_init_refuse("init-keys", "cannot make the store's directory");
    copy_store(FOREIGN, STORE);
    run_cryptod(&run);
    good = run.code == 1 && strstr(run.output, "PCR") != NULL;
    vd_init_step(init, "key-gone", good, "the key service, exit %d: %s", run.code,
                 first_line(&run));
}

void vd_init_keys(struct vd_init *init)
{
    if (access(CRYPTOD, F_OK) != 0 || access(TPM, F_OK) != 0) {
        printf("VERIDIAN: no key service: %s is not there\n",
               access(TPM, F_OK) != 0 ? TPM : CRYPTOD);
        return;
    }
    start_securityd(init);
    if (access(FOREIGN, F_OK) == 0) {
        step_gone(init);
    } else {
        init->cryptod = start_cryptod();
        if (init->cryptod < 0)
            vd_init_refuse("init-keys", "the key service cannot be started");
        step_sealed(init);
        step_refused(init);
        step_again(init);
        if (init->cryptod > 0)
            vd_init_stop(init->cryptod, START_TIME);
        copy_store(STORE, VD_INIT_EXPORT_DIR);
    }
    vd_init_stop(init->securityd, START_TIME);
}
