/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What libelf.a of elfutils 0.192 (Debian 13) forgot to contain: four of its own
 * functions, so that no static program links with it (sourceware bug 32293, mended
 * in 0.193). The linker takes these only where libelf.a has none.
 *
 * The tree is elfutils' own struct: its root comes first, then a lock that is left
 * alone here, since a program of ours reads an ELF object in one thread only.
 */
#define _GNU_SOURCE
#include <search.h>
#include <stddef.h>

struct eu_search_tree {
    void *root;
};

typedef int eu_compare(const void *a, const void *b);

void eu_search_tree_init(struct eu_search_tree *tree);
void eu_search_tree_fini(struct eu_search_tree *tree, void (*free_node)(void *node));
void *eu_tsearch(const void *key, struct eu_search_tree *tree, eu_compare *compare);
void *eu_tdelete(const void *key, struct eu_search_tree *tree, eu_compare *compare);

void eu_search_tree_init(struct eu_search_tree *tree)
{
    tree->root = NULL;
}

void eu_search_tree_fini(struct eu_search_tree *tree, void (*free_node)(void *node))
{
    tdestroy(tree->root, free_node);
    tree->root = NULL;
}

void *eu_tsearch(const void *key, struct eu_search_tree *tree, eu_compare *compare)
{
    return tsearch(key, &tree->root, compare);
}

void *eu_tdelete(const void *key, struct eu_search_tree *tree, eu_compare *compare)
{
    return tdelete(key, &tree->root, compare);
}
