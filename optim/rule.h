/* rule.h: what the update rules (sgd.c, adam.c, rmsprop.c) share with the optimiser (optimizer.c),
 * which keeps parameters and state and calls the rule on one parameter after the other. Not
 * installed.        */
#ifndef TENREC_OPTIM_RULE_H
#define TENREC_OPTIM_RULE_H

#include "optim/optim.h"
#include "tensor/compute.h"

enum { TRI_RULE_STATES = 3, TRI_RULE_GRAIN = 16384 };

/* One parameter in one step. All tensors are contiguous and of one dtype. */
typedef struct tri_update {
    tr_tensor *w;
    const tr_tensor *g;
    tr_tensor **state; /* as named by the rule; NULL where it keeps none */
    double lr, weight_decay;
    int64_t t; /* 1 in the first step */
} tri_update;

/* A rule with its options. The optimiser keeps a copy in its scope. */
typedef struct tri_rule {
    const char *name;
    const char *state[TRI_RULE_STATES]; /* names of state tensors like w; NULL: not kept */
    double lr, weight_decay;
    void (*update)(const void *options, const tri_update *u);
    const void *options;
    size_t option_bytes;
} tri_rule;

tr_optimizer *tri_optimizer_new(tr_named_list parameters, const tri_rule *rule);

/* The value that an option stands for: `standard` for 0, 0 for TR_OFF. */
double tri_option(double value, double standard);

/* False and an error "RULE: NAME is VALUE; ..." unless low <= value < high, or <= high where
 * `closed`. */
bool tri_check_option(const char *rule, const char *name, double value, double low, double high,
                      bool closed);

/* Both: a finite number, 0 or more. */
bool tri_check_rate(const char *rule, const char *name, double value);

/* Checks that parameters are live, contiguous, floating leaves with different names. */
bool tri_check_parameters(tr_named_list parameters, const char *what);

/* "PREFIX.KIND.NAME", without KIND where that is NULL, in the innermost scope. */
const char *tri_state_name(const char *prefix, const char *kind, const char *name);

/* The tensor of that name, of the dtype and shape of `like`; NULL and an error if it is not there.
 */
const tr_tensor *tri_find_state(const tr_named_list *list, const char *name, const tr_tensor *like,
                                const char *what);

#endif
