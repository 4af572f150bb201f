/* denoise.c: a denoising autoencoder, from nothing. One pass over the built-in digits. */
#include <tenrec.h>
#include <stdio.h>

int main(void)
{
    tr_dataset *digits = tr_dataset_open("digits", NULL); /* drawn on the fly, no download */
    tr_loader  *loader = tr_loader_new(
        digits, &(tr_loader_options){ .batch = 256, .shuffle = true, .seed = 7, .limit = 20000 });
    tr_module *net =
        tr_nn_sequential(tr_nn_linear(784, 128, TR_RELU), tr_nn_linear(128, 32, TR_RELU),
                         tr_nn_linear(32, 128, TR_RELU), tr_nn_linear(128, 784, TR_IDENTITY), NULL);
    tr_module_init(net, 7);
    tr_optimizer *adam = tr_adam(tr_module_parameters(net), &(tr_adam_options){ .lr = 1e-3 });

    tr_rng noise = tr_rng_seed(7);
    int    step = 0;
    for (tr_batch b; tr_loader_next(loader, &b); step++) {
        tr_scope  *scope = tr_scope_push(); /* owns all that is made below */
        tr_tensor *x = tr_flatten(b.x, 1);                              /* [N, 784] */
        tr_tensor *noisy = tr_clamp(tr_add(x, tr_scale(tr_normal_like(x, &noise), 0.5)), 0, 1);
        tr_tensor *loss = tr_bce_with_logits(tr_forward(net, noisy), x, TR_MEAN);
        tr_backward(loss);
        tr_optimizer_step(adam);
        if (step % 20 == 0) printf("step %2d  loss %.4f\n", step, tr_item(loss));
        tr_scope_pop(scope); /* frees it; no other free */
    }
    return tr_status_print(); /* errors are looked at here */
}
