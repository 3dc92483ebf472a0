/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Answers the lines of `veridian policy query --batch` with libsepol, from
 * SELinux's binary policy: `sepol_ask [--bool NAME=0|1]... POLICY < questions`. The
 * independent implementation for the differential test.
 *
 * libsepol's own interface knows no names of new files. Where a question has one,
 * the rule that names it is put before the policy's unnamed rules for as long as
 * the question lasts; all else of the new context is still libsepol's work.
 * Extended permissions it reads and writes only: what SELinux's kernel does with
 * them (services_compute_xperms_decision, avc_has_extended_perms) is done here,
 * on libsepol's tables.
 */
#include <sepol/policydb/conditional.h>
#include <sepol/policydb/services.h>
#include <sepol/policydb/sidtab.h>
#include <sepol/sepol.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 6
#define LINE_SIZE 65536

static policydb_t policy;
static sidtab_t sids;

static sepol_security_id_t sid_of(const char *context)
{
    sepol_security_id_t sid = 0;

    if (sepol_context_to_sid(context, strlen(context) + 1, &sid) != 0)
        return 0;
    return sid;
}

/* The name of a permission bit, NULL if the class has none there. */
static const char *perm_name(sepol_security_class_t class, unsigned bit)
{
    const char *name = sepol_av_perm_to_string(class, (sepol_access_vector_t)1 << bit);

    while (name != NULL && *name == ' ')
        name++;
    if (name == NULL || *name == '\0')
        return NULL;
    return name;
}

static void print_perms(sepol_security_class_t class, const char *title, unsigned mask)
{
    const char *before = "";

    printf(" %s={", title);
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *name = (mask >> bit & 1) != 0 ? perm_name(class, bit) : NULL;
        if (name == NULL)
            continue;
        printf("%s%s", before, name);
        before = ",";
    }
    printf("}");
}

static void answer_av(sepol_security_id_t source, sepol_security_id_t target,
                      sepol_security_class_t class)
{
    struct sepol_av_decision avd;
    unsigned reason = 0;
    sepol_access_vector_t named = 0;

    for (unsigned bit = 0; bit < 32; bit++)
        named |= perm_name(class, bit) != NULL ? (sepol_access_vector_t)1 << bit : 0;
    if (sepol_compute_av_reason(source, target, class, named, &avd, &reason) != 0) {
        printf("error=internal\n");
        return;
    }
    printf("av");
    print_perms(class, "allowed", avd.allowed);
    print_perms(class, "auditallow", avd.auditallow);
    print_perms(class, "auditdeny", avd.auditdeny);
    printf(" missing-by=%s%s%s%s\n", reason & SEPOL_COMPUTEAV_TE ? "T" : "",
           reason & SEPOL_COMPUTEAV_CONS ? "C" : "", reason & SEPOL_COMPUTEAV_RBAC ? "R" : "",
           reason & SEPOL_COMPUTEAV_BOUNDS ? "B" : "");
}

static void answer_sid(const char *verb, sepol_security_id_t source, sepol_security_id_t target,
                       sepol_security_class_t class)
{
    sepol_security_id_t made = 0;
    char *text = NULL;
    size_t size;
    int failed = strcmp(verb, "transition") == 0
                     ? sepol_transition_sid(source, target, class, &made)
                 : strcmp(verb, "member") == 0 ? sepol_member_sid(source, target, class, &made)
                                               : sepol_change_sid(source, target, class, &made);

    if (failed != 0 || sepol_sid_to_context(made, &text, &size) != 0)
        printf("%s error=invalid\n", verb);
    else
        printf("%s context=%s\n", verb, text);
    free(text);
}

/* The type that a rule gives to a new file of this name, 0 if none does. */
static unsigned named_type(const context_struct_t *source, const context_struct_t *target,
                           sepol_security_class_t class, char *name)
{
    filename_trans_key_t key = {.ttype = target->type, .tclass = class, .name = name};
    filename_trans_datum_t *rule =
        (filename_trans_datum_t *)hashtab_search(policy.filename_trans, (hashtab_key_t)&key);

    while (rule != NULL && !ebitmap_get_bit(&rule->stypes, source->type - 1))
        rule = rule->next;
    return rule == NULL ? 0 : rule->otype;
}

static void answer_named(sepol_security_id_t source, sepol_security_id_t target,
                         sepol_security_class_t class, char *name)
{
    context_struct_t *s = sepol_sidtab_search(&sids, source);
    context_struct_t *t = sepol_sidtab_search(&sids, target);
    unsigned type = named_type(s, t, class, name);
    avtab_key_t key = {.source_type = (uint16_t)s->type,
                       .target_type = (uint16_t)t->type,
                       .target_class = class,
                       .specified = AVTAB_TRANSITION};
    avtab_datum_t datum = {.data = type};
    avtab_ptr_t node = type == 0 ? NULL : avtab_search_node(&policy.te_avtab, &key);
    unsigned before = node == NULL ? 0 : node->datum.data;

    if (node != NULL)
        node->datum.data = type;
    else if (type != 0)
        node = avtab_insert_nonunique(&policy.te_avtab, &key, &datum);
    answer_sid("transition", source, target, class);
    if (node != NULL && before != 0)
        node->datum.data = before;
    else if (node != NULL)
        node->key.specified = 0; /* stays, but is no rule any more */
}

/* What the extended permissions of a pair say about one number. */
struct xperms {
    unsigned driver, function;
    int defined, allowed, auditallow, dontaudit;
};

static int xperm_bit(const avtab_extended_perms_t *perms, unsigned bit)
{
    return perms->perms[bit / 32] >> (bit % 32) & 1;
}

static void add_xperms(struct xperms *x, avtab_ptr_t node)
{
    const avtab_extended_perms_t *perms = node->datum.xperms;

    x->defined = 1;
    if (perms->specified == AVTAB_XPERMS_IOCTLDRIVER ? !xperm_bit(perms, x->driver)
        : perms->specified == AVTAB_XPERMS_IOCTLFUNCTION
            ? perms->driver != x->driver || !xperm_bit(perms, x->function)
            : 1)
        return;
    x->allowed |= (node->key.specified & AVTAB_XPERMS_ALLOWED) != 0;
    x->auditallow |= (node->key.specified & AVTAB_XPERMS_AUDITALLOW) != 0;
    x->dontaudit |= (node->key.specified & AVTAB_XPERMS_DONTAUDIT) != 0;
}

static void find_xperms(struct xperms *x, uint32_t source, uint32_t target,
                        sepol_security_class_t class)
{
    static const uint16_t kinds[] = {AVTAB_XPERMS_ALLOWED, AVTAB_XPERMS_AUDITALLOW,
                                     AVTAB_XPERMS_DONTAUDIT};
    ebitmap_node_t *i, *j;
    unsigned s, t;

    ebitmap_for_each_positive_bit(&policy.type_attr_map[source - 1], i, s)
    {
        ebitmap_for_each_positive_bit(&policy.type_attr_map[target - 1], j, t)
        {
            for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
                avtab_key_t key = {.source_type = (uint16_t)(s + 1),
                                   .target_type = (uint16_t)(t + 1),
                                   .target_class = class,
                                   .specified = kinds[k]};

                for (avtab_ptr_t node = avtab_search_node(&policy.te_avtab, &key); node != NULL;
                     node = avtab_search_node_next(node, kinds[k]))
                    add_xperms(x, node);
            }
        }
    }
}

/* xperm SCON TCON CLASS ioctl NUMBER */
static void answer_xperm(char **words)
{
    sepol_security_id_t source = sid_of(words[1]), target = sid_of(words[2]);
    unsigned number = (unsigned)strtoul(words[5], NULL, 16), reason = 0;
    struct xperms x = {.driver = number >> 8, .function = number & 0xff};
    sepol_security_class_t class;
    struct sepol_av_decision avd;
    sepol_access_vector_t perm;
    int allowed;

    if (source == 0 || target == 0) {
        printf("error=context\n");
        return;
    }
    if (sepol_string_to_security_class(words[3], &class) != 0 ||
        sepol_string_to_av_perm(class, words[4], &perm) != 0) {
        printf("error=class\n");
        return;
    }
    sepol_compute_av_reason(source, target, class, perm, &avd, &reason);
    find_xperms(&x, sepol_sidtab_search(&sids, source)->type,
                sepol_sidtab_search(&sids, target)->type, class);
    allowed = (avd.allowed & perm) != 0 && (!x.defined || x.allowed);
    printf("xperm allowed=%d auditallow=%d dontaudit=%d\n", allowed,
           (avd.auditallow & perm) != 0 && (!x.defined || x.auditallow),
           (avd.auditdeny & perm) == 0 || x.dontaudit);
}

static void answer(char **words, int count)
{
    sepol_security_id_t asked[3];
    char *name = strcmp(words[0], "transition") == 0 && count == 5 ? words[--count] : NULL;
    sepol_security_class_t class;
    char *reason = NULL;
    int contexts = count - 2;

    if (strcmp(words[0], "valid") == 0) {
        printf("valid=%d\n", sid_of(words[1]) != 0);
        return;
    }
    if (strcmp(words[0], "xperm") == 0 && count == 6) {
        answer_xperm(words);
        return;
    }
    for (int i = 0; i < contexts; i++) {
        asked[i] = sid_of(words[1 + i]);
        if (asked[i] == 0) {
            printf("error=context\n");
            return;
        }
    }
    if (sepol_string_to_security_class(words[count - 1], &class) != 0)
        printf("error=class\n");
    else if (strcmp(words[0], "av") == 0)
        answer_av(asked[0], asked[1], class);
    else if (name != NULL)
        answer_named(asked[0], asked[1], class, name);
    else if (contexts == 2)
        answer_sid(words[0], asked[0], asked[1], class);
    else
        printf("validatetrans=%d\n", sepol_validate_transition_reason_buffer(
                                         asked[0], asked[1], asked[2], class, &reason, 0) == 0);
    free(reason);
}

static int load(const char *path)
{
    struct policy_file file;
    FILE *stream = fopen(path, "rb");

    if (stream == NULL)
        return -1;
    policy_file_init(&file);
    file.type = PF_USE_STDIO;
    file.fp = stream;
    if (policydb_init(&policy) != 0 || policydb_read(&policy, &file, 0) != 0 ||
        sepol_set_policydb(&policy) != 0 || sepol_sidtab_init(&sids) != 0 ||
        sepol_set_sidtab(&sids) != 0)
        return -1;
    return fclose(stream);
}

/* "NAME=0" or "NAME=1". */
static int set_bool(char *text)
{
    char *sign = strchr(text, '=');
    cond_bool_datum_t *found;

    if (sign == NULL)
        return -1;
    *sign = '\0';
    found = (cond_bool_datum_t *)hashtab_search(policy.p_bools.table, text);
    if (found == NULL)
        return -1;
    found->state = sign[1] == '1';
    return 0;
}

int main(int argc, char **argv)
{
    static char line[LINE_SIZE];
    int failed = argc < 2 || load(argv[argc - 1]) != 0;

    for (int i = 1; !failed && i + 1 < argc; i += 2)
        failed = strcmp(argv[i], "--bool") != 0 || i + 2 >= argc || set_bool(argv[i + 1]) != 0;
    if (failed || evaluate_conds(&policy) != 0) {
        fprintf(stderr, "usage: sepol_ask [--bool NAME=0|1]... POLICY < QUESTIONS\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *words[MAX_WORDS];
        char *rest = line;
        int count = 0;
        while (count < MAX_WORDS && (words[count] = strtok_r(NULL, " \n", &rest)) != NULL)
            count++;
        if (count >= 2)
            answer(words, count);
    }
    return 0;
}
