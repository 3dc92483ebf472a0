/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The guest of test_selinux_kernel: the first process of a virtual machine whose
 * kernel is SELinux's, which follows /script and asks that kernel the questions of
 * `veridian policy query`. What it says stands on lines that begin with "@ ".
 */
#ifndef VD_TESTS_SYSTEM_SELINUX_GUEST_H
#define VD_TESTS_SYSTEM_SELINUX_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SELINUXFS   "/sys/fs/selinux/"
#define ANSWER_SIZE 4096
#define MAX_WORDS   8

/* Writes `len` bytes in one go; 0 or an errno. */
int guest_write(const char *path, const void *data, size_t len);

/* Reads up to size - 1 bytes and ends them with a NUL; 0 or an errno. */
int guest_read(const char *path, char *buf, size_t size, size_t *ret_len);

/*
 * Answers the question in `words`, cut at its spaces, as `veridian policy query`
 * would, into `out`: av (without missing-by, which the kernel does not tell),
 * transition, create, change, member, valid, validatetrans, permissive, label genfs;
 * and with what a process of the domain can do ioctl, nlmsg, bind.
 */
void guest_answer(char *const *words, uint32_t count, FILE *out);

/* Those of its answers that are not read from selinuxfs. */
void guest_ioctl(char *const *words, uint32_t count, FILE *out);
void guest_nlmsg(char *const *words, uint32_t count, FILE *out);
void guest_bind(char *const *words, uint32_t count, FILE *out);
void guest_label(char *const *words, uint32_t count, FILE *out);
void guest_unknown(const char *context, FILE *out);

/* Flags of a number that was tried. */
#define GUEST_TRIED   (1u << 0)
#define GUEST_ALLOWED (1u << 1) /* not answered with EACCES */
#define GUEST_GRANTED (1u << 2) /* recorded as granted */
#define GUEST_DENIED  (1u << 3) /* recorded as denied */

/*
 * Around attempts: what the kernel recorded of each number, GUEST_GRANTED or
 * GUEST_DENIED, in flags[number]. False if the records did not come whole.
 */
void guest_audit_begin(void);
bool guest_audit_end(uint8_t *flags);

/* Forgets the numbers of classes and permissions: another policy has been loaded. */
void guest_forget_classes(void);

#endif
