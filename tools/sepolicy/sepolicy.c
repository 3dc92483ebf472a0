/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "tools/sepolicy/sepolicy.h"

#include <stdlib.h>

#include "tools/sepolicy/builtin.h"
#include "tools/sepolicy/gen/book.h"
#include "tools/sepolicy/gen/codegen.h"
#include "tools/sepolicy/parse/replay.h"
#include "tools/sepolicy/selinux/read.h"

static void parse_builtin(struct vd_sp *sp, const struct vd_sepolicy_source *source)
{
    if (!vd_sp_source_add(&sp->messages, source, true))
        vd_sp_escape(&sp->arena, VD_E_LIMIT);
    vd_sp_parse(sp, sp->messages.sources.count - 1, sp->messages.sources.count - 1);
}

/* object_r is role 1 of every policy and has every type. */
static void declare_object_role(struct vd_sp *sp)
{
    struct vd_sp_symbol *symbol;

    sp->names.list.data[VD_SP_KW_OBJECT_R].symbols[VD_SP_ROLE] = sp->symbols.count;
    symbol = VD_SP_PUSH(&sp->arena, &sp->symbols);
    symbol->name = VD_SP_KW_OBJECT_R;
    symbol->space = VD_SP_ROLE;
}

static void decide_mls(struct vd_sp *sp)
{
    switch (sp->options->mls) {
    case VD_SEPOLICY_MLS_YES:
        sp->mls = true;
        break;
    case VD_SEPOLICY_MLS_NO:
        if (sp->mls_place != 0)
            vd_sp_error_hint(&sp->messages, sp->mls_place, "compile it with --mls yes or auto",
                             "this policy has levels, but --mls no was asked for");
        break;
    default:
        sp->mls = sp->mls_place != 0;
        break;
    }
}

/* Row 0 of the tables, the language's words and object_r: every model has them. */
static void begin(struct vd_sp *sp)
{
    vd_sp_names_init(&sp->names, &sp->arena);
    vd_sp_keywords_init(sp);
    (void)VD_SP_PUSH(&sp->arena, &sp->symbols);
    (void)VD_SP_PUSH(&sp->arena, &sp->blocks);
    declare_object_role(sp);
}

/* What the next compilation may take from this one. */
static void keep_cache(struct vd_sp *sp, const struct vd_sp_image *image,
                       struct vd_sepolicy_result *ret)
{
    const struct vd_sepolicy_former *former = &sp->options->former;
    struct vd_sp_cache cache = {.secret = vd_sp_cache_secret(sp->cache, former)};

    ret->cache = vd_sp_replay_keep(sp, &cache, image->row_keys.data, image->row_keys.count,
                                   &ret->cache_size);
    if (ret->cache != NULL)
        vd_sp_cache_end(ret->cache, ret->cache_size, &cache, former->compiler, ret->blob);
}

/* From the model to the bytes. */
static vd_status finish(struct vd_sp *sp, struct vd_sepolicy_result *ret)
{
    struct vd_sp_checked checked;
    struct vd_sp_image image;
    struct vd_sp_se selinux = {};

    vd_sp_check(sp, &checked);
    vd_sp_generate(&checked, &image);
    if (sp->options->form == VD_SEPOLICY_SELINUX && sp->messages.errors == 0)
        vd_sp_se_prepare(&image, &selinux);
    vd_sp_messages_end(&sp->messages);
    if (sp->messages.errors > 0)
        return VD_E_INVALID;
    ret->types = checked.type_count - 1;
    ret->attributes = checked.types.count - checked.type_count;
    ret->classes = checked.classes.count - 1;
    ret->roles = checked.roles.count - 1;
    ret->users = checked.users.count - 1;
    ret->rules = sp->rules.count;
    ret->booleans = checked.bools.count - 1;
    ret->reused = image.reused;
    ret->replayed = sp->replayed;
    if (sp->options->form == VD_SEPOLICY_SELINUX)
        VD_TRY(vd_sp_se_write(&selinux, &ret->blob, &ret->size));
    else
        VD_TRY(vd_sp_blob(&image, &ret->blob, &ret->size));
    if (sp->options->form == VD_SEPOLICY_VERIDIAN && sp->options->rulebook)
        VD_TRY(vd_sp_book_append(&image, &ret->blob, &ret->size));
    if (sp->options->form == VD_SEPOLICY_VERIDIAN && sp->options->keep_cache)
        keep_cache(sp, &image, ret);
    return VD_OK;
}

static vd_status compile(struct vd_sp *sp, const struct vd_sepolicy_source *sources, size_t count,
                         struct vd_sepolicy_result *ret)
{
    struct vd_sp_cache cache;

    begin(sp);
    if (sp->options->keep_cache && vd_sp_cache_open(&cache, &sp->options->former))
        sp->cache = &cache;
    for (size_t i = 0; i < count; i++) {
        if (!vd_sp_source_add(&sp->messages, &sources[i], false))
            return VD_E_LIMIT;
    }
    vd_sp_replay_init(sp);
    vd_sp_parse(sp, 0, (uint32_t)count - 1);
    if (!sp->has_class)
        parse_builtin(sp, &vd_sp_builtin_classes);
    decide_mls(sp);
    if (sp->mls && !sp->has_sens) {
        parse_builtin(sp, &vd_sp_builtin_levels);
        if (!sp->has_class && !sp->has_mlsconstrain)
            parse_builtin(sp, &vd_sp_builtin_constraints);
    }
    return finish(sp, ret);
}

/* SELinux's binary policy; the file says what to do with unknown classes. */
static vd_status read_selinux(struct vd_sp *sp, const struct vd_sepolicy_source *sources,
                              size_t count, struct vd_sepolicy_result *ret)
{
    struct vd_sepolicy_options options = *sp->options;

    sp->options = &options;
    begin(sp);
    sp->messages.binary = true;
    if (count != 1 || !vd_sp_source_add(&sp->messages, sources, false))
        return VD_E_LIMIT;
    vd_sp_sr_read(sp, &options, sources->text, sources->size);
    return finish(sp, ret);
}

/* Runs one compilation in an arena of its own. */
static vd_status run(vd_status (*work)(struct vd_sp *sp, const struct vd_sepolicy_source *sources,
                                       size_t count, struct vd_sepolicy_result *ret),
                     const struct vd_sepolicy_source *sources, size_t count,
                     const struct vd_sepolicy_options *options, struct vd_sepolicy_result *ret)
{
    struct vd_sepolicy_result result = {};
    struct vd_sp *sp;
    vd_status status;

    if (count == 0 || (options->form == VD_SEPOLICY_SELINUX &&
                       (options->selinux_version < VD_SEPOLICY_SELINUX_MIN ||
                        options->selinux_version > VD_SEPOLICY_SELINUX_MAX)))
        return VD_E_USAGE;
    sp = calloc(1, sizeof(*sp));
    if (sp == NULL)
        return VD_E_NO_MEMORY;
    sp->options = options;
    sp->arena.max = options->memory == 0 ? VD_SEPOLICY_MEMORY : options->memory;
    sp->messages.arena = &sp->arena;
    sp->messages.options = options;
    if (setjmp(sp->arena.escape) == 0)
        status = work(sp, sources, count, &result);
    else
        status = sp->arena.status;
    vd_sp_arena_done(&sp->arena);
    free(sp);
    if (status == VD_OK)
        *ret = result;
    return status;
}

vd_status vd_sepolicy_compile(const struct vd_sepolicy_source *sources, size_t count,
                              const struct vd_sepolicy_options *options,
                              struct vd_sepolicy_result *ret)
{
    return run(compile, sources, count, options, ret);
}

vd_status vd_sepolicy_read_selinux(const struct vd_sepolicy_source *source,
                                   const struct vd_sepolicy_options *options,
                                   struct vd_sepolicy_result *ret)
{
    return run(read_selinux, source, 1, options, ret);
}

bool vd_sepolicy_is_selinux(const void *data, size_t size)
{
    struct vd_reader in;
    uint32_t magic;

    vd_reader_init(&in, data, size);
    return vd_read_le32(&in, &magic) == VD_OK && magic == VD_SE_MAGIC;
}
