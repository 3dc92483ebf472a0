/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Command codes that are hashed into policies, and sent (part 2, table 12). */
#ifndef VD_HARDWARE_TPM_POLICY_CODES_H
#define VD_HARDWARE_TPM_POLICY_CODES_H

#define CC_POLICY_NV         0x00000149u
#define CC_POLICY_AUTHORIZE  0x0000016au
#define CC_POLICY_AUTH_VALUE 0x0000016bu
#define CC_POLICY_OR         0x00000171u
#define CC_VERIFY_SIGNATURE  0x00000177u
#define CC_POLICY_PCR        0x0000017fu
#define CC_POLICY_RESTART    0x00000180u

#endif
