/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Bounded proofs with the model checker CBMC: every input within the bound that
 * a proof names, not samples of them. Memory safety and overflow are checked
 * besides what VD_PROVE says.
 *
 * A proof file is prove_NAME.c; its line `proof:` names the sources and the
 * loop bound. Each has one VD_PROVE_WRONG, a claim that is false: with
 * -DVD_PROOF_WRONG it is checked too, and the runner demands that the checker
 * refutes it. So a proof that could not fail is noticed.
 */
#ifndef VD_PROOFS_PROOF_H
#define VD_PROOFS_PROOF_H

#include "core/base/types.h"

uint8_t nondet_u8(void);
uint32_t nondet_u32(void);
uint64_t nondet_u64(void);
size_t nondet_size(void);

#define VD_ASSUME(condition) __CPROVER_assume(condition)
#define VD_PROVE(condition)  __CPROVER_assert((condition), #condition)
#ifdef VD_PROOF_WRONG
#define VD_PROVE_WRONG(condition) __CPROVER_assert((condition), "wrong: " #condition)
#else
#define VD_PROVE_WRONG(condition) ((void)0)
#endif

#endif
