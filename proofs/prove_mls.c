/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* proof: unwind 17 */
/*
 * Dominance is a partial order on all levels (any 32-bit sensitivity, any of
 * the 1024 categories): reflexive, antisymmetric, transitive; and it is
 * Bell and LaPadula's: higher or equal sensitivity and a superset of categories.
 */
#include "core/mac/mls.h"
#include "proofs/proof.h"

static struct vd_mls_level any_level(void)
{
    struct vd_mls_level level = {.sens = nondet_u32()};

    for (uint32_t i = 0; i < VD_MLS_CAT_WORDS; i++)
        level.cats[i] = nondet_u64();
    return level;
}

static bool by_definition(const struct vd_mls_level *a, const struct vd_mls_level *b)
{
    bool superset = true;

    for (uint32_t i = 0; i < VD_MLS_CAT_WORDS; i++) {
        if ((b->cats[i] & ~a->cats[i]) != 0)
            superset = false;
    }
    return a->sens >= b->sens && superset;
}

int main(void)
{
    struct vd_mls_level a = any_level(), b = any_level(), c = any_level();

    VD_PROVE(vd_mls_dominates(&a, &b) == by_definition(&a, &b));
    VD_PROVE(vd_mls_dominates(&a, &a));
    VD_PROVE(!(vd_mls_dominates(&a, &b) && vd_mls_dominates(&b, &a)) || vd_mls_level_equal(&a, &b));
    VD_PROVE(!(vd_mls_dominates(&a, &b) && vd_mls_dominates(&b, &c)) || vd_mls_dominates(&a, &c));
    VD_PROVE_WRONG(vd_mls_dominates(&a, &b) || vd_mls_dominates(&b, &a));
    return 0;
}
