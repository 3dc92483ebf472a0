/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One table of everything that can go wrong: name, text, class. The numbers are
 * part of installed libraries' interfaces: new rows stand at the end.
 *
 * A function that can fail returns `vd_status`; its outputs (`ret_x`) stay
 * untouched unless the status is VD_OK. A verdict (allow or deny) is not a
 * status: see core/mac.
 *
 * Threads: everything here is constant.
 */
#ifndef VD_CORE_BASE_STATUS_H
#define VD_CORE_BASE_STATUS_H

#include "core/base/types.h"

/*
 * What kind of trouble a status is. The class decides a command's exit code:
 * policy 1, input 2, missing 3, system and bug 4.
 */
enum vd_status_class {
    VD_CLASS_OK,
    VD_CLASS_INPUT,
    VD_CLASS_POLICY,
    VD_CLASS_MISSING,
    VD_CLASS_SYSTEM,
    VD_CLASS_BUG,
};

/* X(name, text, class) */
#define VD_STATUS_TABLE(X)                                                       \
    X(OK, "done", OK)                                                            \
    X(E_TRUNCATED, "the input ends too early", INPUT)                            \
    X(E_TRAILING, "there is data after the end", INPUT)                          \
    X(E_MAGIC, "this is another kind of file", INPUT)                            \
    X(E_VERSION, "this version of the format is not known", INPUT)               \
    X(E_CHECKSUM, "the checksum does not fit the content", INPUT)                \
    X(E_LIMIT, "a limit is exceeded", INPUT)                                     \
    X(E_RANGE, "a value is out of its range", INPUT)                             \
    X(E_OVERFLOW, "a size or offset overflows", INPUT)                           \
    X(E_OVERLAP, "two parts overlap", INPUT)                                     \
    X(E_RESERVED, "a reserved field is not zero", INPUT)                         \
    X(E_SYNTAX, "the syntax is wrong", INPUT)                                    \
    X(E_INVALID, "the value is not valid", INPUT)                                \
    X(E_NOT_FOUND, "no such name", INPUT)                                        \
    X(E_EXISTS, "it exists already", INPUT)                                      \
    X(E_USAGE, "the call is wrong", INPUT)                                       \
    X(E_DENIED, "denied", POLICY)                                                \
    X(E_SIGNATURE, "the signature does not hold", POLICY)                        \
    X(E_UNTRUSTED, "the signer is not trusted", POLICY)                          \
    X(E_REVOKED, "it has been revoked", POLICY)                                  \
    X(E_ROLLBACK, "it is older than the allowed minimum", POLICY)                \
    X(E_DIFFERS, "the values differ", POLICY)                                    \
    X(E_MISSING, "something needed is missing on this machine", MISSING)         \
    X(E_UNSUPPORTED, "this machine or build does not support it", MISSING)       \
    X(E_NO_MEMORY, "out of memory", SYSTEM)                                      \
    X(E_NO_SPACE, "the buffer or the device is full", SYSTEM)                    \
    X(E_IO, "input or output failed", SYSTEM)                                    \
    X(E_SYSTEM, "a system call failed", SYSTEM)                                  \
    X(E_TIMEOUT, "it took too long", SYSTEM)                                     \
    X(E_BUSY, "it is in use", SYSTEM)                                            \
    X(E_BUG, "fault of the program", BUG)                                        \
    X(E_TAG, "it was changed, or the key or additional data are others", POLICY) \
    X(E_POINT, "this is no valid public key", INPUT)                             \
    X(E_ENCODING, "the encoding is not the one valid form", INPUT)               \
    X(E_SIZE, "the size is not the right one", INPUT)                            \
    X(E_KEY_TYPE, "the key is of another type", INPUT)                           \
    X(E_MECHANISM, "the key's type has no such mechanism", INPUT)                \
    X(E_KEY_USAGE, "the key is not for this use", POLICY)                        \
    X(E_EXPIRED, "the key's time is over", POLICY)                               \
    X(E_NOT_YET, "the key's time has not come", POLICY)                          \
    X(E_USED_UP, "the key's limit of uses is reached", POLICY)                   \
    X(E_HANDLE, "the connection has no such handle", INPUT)                      \
    X(E_NOT_RECORDED, "it cannot be recorded, and is refused", SYSTEM)

#define VD_STATUS_ENUMERATOR_(name, text, class) VD_##name,
enum VD_NODISCARD vd_status { VD_STATUS_TABLE(VD_STATUS_ENUMERATOR_) VD_STATUS_COUNT };
typedef enum vd_status vd_status;
#undef VD_STATUS_ENUMERATOR_

/* The status' name as in the table ("E_TRUNCATED"); "?" for a value outside it. */
const char *vd_status_name(vd_status status);

/* A short English text; "unknown status" for a value outside the table. */
const char *vd_status_text(vd_status status);

/* The class; VD_CLASS_BUG for a value outside the table. */
enum vd_status_class vd_status_class(vd_status status);

/* Leaves the calling function with the same status if `call` fails. */
#define VD_TRY(call)                       \
    do {                                   \
        vd_status vd_try_status_ = (call); \
        if (vd_try_status_ != VD_OK)       \
            return vd_try_status_;         \
    } while (0)

#endif
