/* tenrec.h: everything, in the order in which to read it. */
#ifndef TENREC_H
#define TENREC_H

#include "tensor/tensor.h"     /* numbers: create, inspect, store; scopes, errors, random numbers */
#include "autograd/autograd.h" /* derivatives, operations, and how one is made */
#include "nn/nn.h"             /* modules, layers, losses, distributions */
#include "optim/optim.h"       /* update rules, schedules, clipping */
#include "datasets/datasets.h" /* pictures and tables to train on, the loader */
#include "models/models.h"     /* the zoo */
#include "train/train.h"       /* fit, runs, reports */

#endif
