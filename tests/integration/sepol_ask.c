/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Answers the lines of `veridian policy query --batch` with libsepol, from
 * SELinux's binary policy: `sepol_ask POLICY < questions`. The independent
 * implementation for the differential test.
 */
#include <sepol/policydb/services.h>
#include <sepol/sepol.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS 6
#define LINE_SIZE 65536

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

static void answer(char **words, int count)
{
    sepol_security_id_t sids[3];
    sepol_security_class_t class;
    char *reason = NULL;
    int contexts = count - 2;

    if (strcmp(words[0], "valid") == 0) {
        printf("valid=%d\n", sid_of(words[1]) != 0);
        return;
    }
    for (int i = 0; i < contexts; i++) {
        sids[i] = sid_of(words[1 + i]);
        if (sids[i] == 0) {
            printf("error=context\n");
            return;
        }
    }
    if (sepol_string_to_security_class(words[count - 1], &class) != 0)
        printf("error=class\n");
    else if (strcmp(words[0], "av") == 0)
        answer_av(sids[0], sids[1], class);
    else if (contexts == 2)
        answer_sid(words[0], sids[0], sids[1], class);
    else
        printf("validatetrans=%d\n", sepol_validate_transition_reason_buffer(
                                         sids[0], sids[1], sids[2], class, &reason, 0) == 0);
    free(reason);
}

int main(int argc, char **argv)
{
    static char line[LINE_SIZE];
    FILE *policy = argc == 2 ? fopen(argv[1], "rb") : NULL;

    if (policy == NULL || sepol_set_policydb_from_file(policy) != 0) {
        fprintf(stderr, "usage: sepol_ask POLICY < QUESTIONS\n");
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
    fclose(policy);
    return 0;
}
