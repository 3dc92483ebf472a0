/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hardware/hsm/internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/diagf.h"

#define MODULES_MAX 16u

/*
 * A module is initialised once in a process, whoever in it asks: who uses which is the process's
 * state, as the module's own is.
 */
static struct {
    pthread_mutex_t lock;
    struct use {
        CK_FUNCTION_LIST *f;
        uint32_t users;
        bool ours; /* we initialised it */
        pid_t pid;
    } use[MODULES_MAX];
} modules = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What the results mean for a caller; the others are VD_E_IO. */
static const struct {
    CK_RV rv;
    vd_status status;
} meanings[] = {
    {CKR_HOST_MEMORY, VD_E_NO_MEMORY},
    {CKR_DEVICE_MEMORY, VD_E_NO_SPACE},
    {CKR_DEVICE_REMOVED, VD_E_MISSING},
    {CKR_TOKEN_NOT_PRESENT, VD_E_MISSING},
    {CKR_TOKEN_NOT_RECOGNIZED, VD_E_MISSING},
    {CKR_SLOT_ID_INVALID, VD_E_MISSING},
    {CKR_PIN_INCORRECT, VD_E_DENIED},
    {CKR_PIN_INVALID, VD_E_DENIED},
    {CKR_PIN_LEN_RANGE, VD_E_DENIED},
    {CKR_PIN_EXPIRED, VD_E_DENIED},
    {CKR_PIN_LOCKED, VD_E_DENIED},
    {CKR_USER_NOT_LOGGED_IN, VD_E_DENIED},
    {CKR_USER_PIN_NOT_INITIALIZED, VD_E_DENIED},
    {CKR_USER_ANOTHER_ALREADY_LOGGED_IN, VD_E_DENIED},
    {CKR_ACTION_PROHIBITED, VD_E_DENIED},
    {CKR_ATTRIBUTE_SENSITIVE, VD_E_DENIED},
    {CKR_FUNCTION_REJECTED, VD_E_DENIED},
    {CKR_INFORMATION_SENSITIVE, VD_E_DENIED},
    {CKR_KEY_FUNCTION_NOT_PERMITTED, VD_E_DENIED},
    {CKR_KEY_NOT_WRAPPABLE, VD_E_DENIED},
    {CKR_KEY_UNEXTRACTABLE, VD_E_DENIED},
    {CKR_SESSION_READ_ONLY, VD_E_DENIED},
    {CKR_TOKEN_WRITE_PROTECTED, VD_E_DENIED},
    {CKR_ENCRYPTED_DATA_INVALID, VD_E_DENIED},
    {CKR_ENCRYPTED_DATA_LEN_RANGE, VD_E_DENIED},
    {CKR_WRAPPED_KEY_INVALID, VD_E_DENIED},
    {CKR_WRAPPED_KEY_LEN_RANGE, VD_E_DENIED},
    {CKR_SIGNATURE_INVALID, VD_E_SIGNATURE},
    {CKR_SIGNATURE_LEN_RANGE, VD_E_SIGNATURE},
    {CKR_FUNCTION_NOT_SUPPORTED, VD_E_UNSUPPORTED},
    {CKR_MECHANISM_INVALID, VD_E_UNSUPPORTED},
    {CKR_MECHANISM_PARAM_INVALID, VD_E_UNSUPPORTED},
    {CKR_KEY_SIZE_RANGE, VD_E_UNSUPPORTED},
    {CKR_CURVE_NOT_SUPPORTED, VD_E_UNSUPPORTED},
    {CKR_CANT_LOCK, VD_E_UNSUPPORTED},
    {CKR_NEED_TO_CREATE_THREADS, VD_E_UNSUPPORTED},
};

vd_status hsm_result(struct vd_diag *diag, const char *call, CK_RV rv)
{
    vd_status status = VD_E_IO;

    if (rv == CKR_OK)
        return VD_OK;
    for (size_t i = 0; i < VD_COUNT(meanings); i++) {
        if (meanings[i].rv == rv)
            status = meanings[i].status;
    }
    return vd_diagf(diag, status, "%s of the module: %s (0x%lx)", call, hsm_result_name(rv), rv);
}

void hsm_text(char *ret, const void *field, size_t size)
{
    const char *text = field;

    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\0'))
        size--;
    for (size_t i = 0; i < size; i++)
        ret[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    ret[size] = '\0';
}

/* ---- Loading ---- */

/* What is called without asking again. */
static vd_status check_functions(const CK_FUNCTION_LIST *f, struct vd_diag *diag)
{
#define NEED(name)       \
    if (f->name == NULL) \
    return vd_diag_fail(diag, VD_E_INVALID, "the module lacks " #name)

    if (f->version.major != 2 && f->version.major != 3)
        return vd_diagf(diag, VD_E_VERSION, "the module speaks PKCS #11 %u.%u; expected 2 or 3",
                        f->version.major, f->version.minor);
    NEED(C_Initialize);
    NEED(C_Finalize);
    NEED(C_GetInfo);
    NEED(C_GetSlotList);
    NEED(C_GetSlotInfo);
    NEED(C_GetTokenInfo);
    NEED(C_GetMechanismList);
    NEED(C_GetMechanismInfo);
    NEED(C_OpenSession);
    NEED(C_CloseSession);
    NEED(C_Login);
    NEED(C_Logout);
    NEED(C_CreateObject);
    NEED(C_DestroyObject);
    NEED(C_GetAttributeValue);
    NEED(C_FindObjectsInit);
    NEED(C_FindObjects);
    NEED(C_FindObjectsFinal);
    NEED(C_EncryptInit);
    NEED(C_Encrypt);
    NEED(C_DecryptInit);
    NEED(C_Decrypt);
    NEED(C_SignInit);
    NEED(C_Sign);
    NEED(C_VerifyInit);
    NEED(C_Verify);
    NEED(C_GenerateKey);
    NEED(C_GenerateKeyPair);
    NEED(C_WrapKey);
    NEED(C_UnwrapKey);
    NEED(C_DeriveKey);
#undef NEED
    return VD_OK;
}

static vd_status load(struct hsm_module *module, const char *path, struct vd_diag *diag)
{
    CK_C_GetFunctionList get;
    vd_status status;

    /* A bare name would be searched for in the library path. */
    if (strchr(path, '/') == NULL)
        return vd_diagf(diag, VD_E_USAGE, "\"%s\" is no path of a module", path);
    module->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (module->library == NULL)
        return vd_diagf(diag, VD_E_MISSING, "cannot load the PKCS #11 module: %s", dlerror());
    *(void **)&get = dlsym(module->library, "C_GetFunctionList");
    if (get == NULL)
        return vd_diagf(diag, VD_E_INVALID, "%s is no PKCS #11 module: no C_GetFunctionList", path);
    status = hsm_result(diag, "C_GetFunctionList", get(&module->f));
    if (status == VD_OK && module->f == NULL)
        status = vd_diag_fail(diag, VD_E_INVALID, "the module gave no function list");
    VD_TRY(status);
    return check_functions(module->f, diag);
}

static struct use *find_use(CK_FUNCTION_LIST *f)
{
    struct use *free_one = NULL;

    for (size_t i = 0; i < MODULES_MAX; i++) {
        struct use *use = &modules.use[i];

        if (use->users > 0 && use->pid != getpid())
            *use = (struct use){}; /* of the parent, whose copy is not ours */
        if (use->users > 0 && use->f == f)
            return use;
        if (use->users == 0 && free_one == NULL)
            free_one = use;
    }
    return free_one;
}

static CK_RV initialize(CK_FUNCTION_LIST *f)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

    return f->C_Initialize(&args);
}

static vd_status use_module(const struct hsm_module *module, struct vd_diag *diag)
{
    struct use *use = find_use(module->f);
    CK_RV rv;

    if (use == NULL)
        return vd_diagf(diag, VD_E_LIMIT, "more than %u modules at once", MODULES_MAX);
    if (use->users == 0) {
        rv = initialize(module->f);
        if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
            return hsm_result(diag, "C_Initialize", rv);
        *use = (struct use){.f = module->f, .ours = rv == CKR_OK, .pid = getpid()};
    }
    use->users++;
    return VD_OK;
}

vd_status hsm_module_open(struct hsm_module *ret, const char *path, struct vd_diag *diag)
{
    struct hsm_module module = {};
    vd_status status = load(&module, path, diag);

    if (status == VD_OK) {
        pthread_mutex_lock(&modules.lock);
        status = use_module(&module, diag);
        pthread_mutex_unlock(&modules.lock);
    }
    if (status != VD_OK) {
        if (module.library != NULL)
            dlclose(module.library);
        vd_diag_file(diag, path);
        return status;
    }
    *ret = module;
    return VD_OK;
}

vd_status hsm_module_again(const struct hsm_module *module, struct vd_diag *diag)
{
    CK_RV rv;

    pthread_mutex_lock(&modules.lock);
    rv = initialize(module->f);
    pthread_mutex_unlock(&modules.lock);
    return rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ? VD_OK : hsm_result(diag, "C_Initialize", rv);
}

/* The library itself stays loaded: modules leave threads and exit handlers behind. */
void hsm_module_close(struct hsm_module *module)
{
    struct use *use;

    if (module->f == NULL)
        return;
    pthread_mutex_lock(&modules.lock);
    use = find_use(module->f);
    if (use != NULL && use->users > 0 && --use->users == 0 && use->ours)
        (void)module->f->C_Finalize(NULL);
    pthread_mutex_unlock(&modules.lock);
    *module = (struct hsm_module){};
}

/* ---- Slots ---- */

static vd_status slot_ids(const struct hsm_module *module, CK_SLOT_ID *ids, uint32_t *ret_count,
                          struct vd_diag *diag)
{
    /* The first call makes modules look at their readers again. A slot may come in between. */
    for (int tries = 0; tries < 3; tries++) {
        CK_ULONG count = 0, room = VD_HSM_SLOTS_MAX;
        CK_RV rv;

        VD_TRY(hsm_result(diag, "C_GetSlotList", module->f->C_GetSlotList(CK_FALSE, NULL, &count)));
        if (count > VD_HSM_SLOTS_MAX)
            return vd_diagf(diag, VD_E_LIMIT, "the module claims %lu slots, at most %u are read",
                            count, VD_HSM_SLOTS_MAX);
        if (count == 0) {
            *ret_count = 0;
            return VD_OK;
        }
        rv = module->f->C_GetSlotList(CK_FALSE, ids, &room);
        if (rv == CKR_BUFFER_TOO_SMALL)
            continue;
        VD_TRY(hsm_result(diag, "C_GetSlotList", rv));
        if (room > VD_HSM_SLOTS_MAX)
            return vd_diagf(diag, VD_E_INVALID, "C_GetSlotList gave %lu slots where %u have room",
                            room, VD_HSM_SLOTS_MAX);
        *ret_count = (uint32_t)room;
        return VD_OK;
    }
    return vd_diag_fail(diag, VD_E_INVALID, "the module's slots change with each call");
}

static vd_status read_slot(const struct hsm_module *module, CK_SLOT_ID id, struct vd_hsm_token *ret,
                           struct vd_diag *diag)
{
    struct vd_hsm_token token = {.slot = id};
    CK_SLOT_INFO slot = {};
    CK_TOKEN_INFO info = {};
    CK_RV rv;

    VD_TRY(hsm_result(diag, "C_GetSlotInfo", module->f->C_GetSlotInfo(id, &slot)));
    hsm_text(token.slot_name, slot.slotDescription, sizeof(slot.slotDescription));
    rv = (slot.flags & CKF_TOKEN_PRESENT) == 0 ? CKR_TOKEN_NOT_PRESENT
                                               : module->f->C_GetTokenInfo(id, &info);
    /* An empty reader is a fact; a token that cannot be read does not hide the others. */
    token.present = rv == CKR_OK;
    if (token.present) {
        token.initialized = (info.flags & CKF_USER_PIN_INITIALIZED) != 0;
        token.login_required = (info.flags & CKF_LOGIN_REQUIRED) != 0;
        token.pin_locked = (info.flags & CKF_USER_PIN_LOCKED) != 0;
        token.pin_final_try = (info.flags & CKF_USER_PIN_FINAL_TRY) != 0;
        token.write_protected = (info.flags & CKF_WRITE_PROTECTED) != 0;
        token.pin_pad = (info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
        hsm_text(token.label, info.label, sizeof(info.label));
        hsm_text(token.manufacturer, info.manufacturerID, sizeof(info.manufacturerID));
        hsm_text(token.model, info.model, sizeof(info.model));
        hsm_text(token.serial, info.serialNumber, sizeof(info.serialNumber));
    }
    *ret = token;
    return VD_OK;
}

vd_status hsm_slots(const struct hsm_module *module, struct vd_hsm_token *ret, uint32_t *ret_count,
                    struct vd_diag *diag)
{
    CK_SLOT_ID ids[VD_HSM_SLOTS_MAX];
    uint32_t count;

    VD_TRY(slot_ids(module, ids, &count, diag));
    for (uint32_t i = 0; i < count; i++)
        VD_TRY(read_slot(module, ids[i], &ret[i], diag));
    *ret_count = count;
    return VD_OK;
}

static vd_status module_facts(const struct hsm_module *module, struct vd_hsm_module *ret,
                              struct vd_diag *diag)
{
    CK_INFO info = {};

    VD_TRY(hsm_result(diag, "C_GetInfo", module->f->C_GetInfo(&info)));
    hsm_text(ret->manufacturer, info.manufacturerID, sizeof(info.manufacturerID));
    hsm_text(ret->description, info.libraryDescription, sizeof(info.libraryDescription));
    ret->version[0] = info.libraryVersion.major;
    ret->version[1] = info.libraryVersion.minor;
    ret->cryptoki[0] = info.cryptokiVersion.major;
    ret->cryptoki[1] = info.cryptokiVersion.minor;
    return hsm_slots(module, ret->token, &ret->token_count, diag);
}

vd_status vd_hsm_module_info(const char *path, struct vd_hsm_module *ret, struct vd_diag *diag)
{
    struct vd_hsm_module *info = calloc(1, sizeof(*info));
    struct hsm_module module = {};
    vd_status status;

    if (info == NULL)
        return vd_diag_fail(diag, VD_E_NO_MEMORY, "out of memory");
    status = hsm_module_open(&module, path, diag);
    if (status == VD_OK)
        status = module_facts(&module, info, diag);
    if (status == VD_OK)
        *ret = *info;
    else
        vd_diag_file(diag, path);
    hsm_module_close(&module);
    free(info);
    return status;
}
