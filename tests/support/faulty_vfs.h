/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * SQLite's way to the disk with faults: a chosen operation fails, or the power goes with it.
 *
 * Files are real, but nothing is synced: the shim keeps for each file what a disk would surely
 * have (what was synced) and what it might have (written since), and after a power cut rewrites
 * the files to what the disk had, with any part of the rest, torn at sectors. What a failed sync
 * left unsynced is never sure any more, since the kernel forgets it. One thread at a time.
 */
#ifndef VD_TESTS_SUPPORT_FAULTY_VFS_H
#define VD_TESTS_SUPPORT_FAULTY_VFS_H

#include <stdbool.h>
#include <stdint.h>

#define VD_FAULTY_VFS "vd-faulty"

enum vd_fault {
    VD_FAULT_NONE,
    VD_FAULT_FULL,     /* writes fail from operation `at` on: the disk is full */
    VD_FAULT_EIO,      /* write, sync, truncation or removal number `at` fails, once */
    VD_FAULT_EIO_READ, /* read number `at` fails, once */
    VD_FAULT_CUT,      /* everything fails from operation `at` on */
};

/* Makes the shim known to SQLite; once. */
void vd_faulty_register(void);

/* Forgets all files and counts from 0; the first operation is number 1. */
void vd_faulty_arm(enum vd_fault fault, uint32_t at);

/* From now on everything fails, as in a power cut; the files stay known. */
void vd_faulty_arm_cut(void);

/* No more faults; the files stay known. */
void vd_faulty_disarm(void);

/* True if the fault happened. */
bool vd_faulty_fired(void);

/* The power goes: the files become what the disk may hold. All connections are closed. */
void vd_faulty_cut(uint64_t seed);

#endif
