/* undercomplete.c: the plain autoencoder. The code is smaller than the picture, so the network has
 * to learn what pictures have in common:
 *
 *     h = relu(x W1 + b1),  y = sigmoid(h W2 + b2),  minimise d(x, y)
 *
 * With linear layers and squared error it would span the same space as PCA (Bourlard & Kamp 1988);
 * the ReLU code is what lets it do better. Settings: the source material's first model, 784-32-784.
 * Read next: deep.c, the same idea with more layers. */
#include "models/zoo.h"

static const tr_option options[] = {
    TRI_OPTION_LATENT("32"),
    TRI_OPTION_HIDDEN(""),
    { "code", TR_OPTION_CHOICE, "relu", 0, 0, "relu|identity|sigmoid|tanh",
      "activation of the code" },
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

/* Why the comparison with PCA is fair, and what the non-linearity buys. For a linear network
 * y = x W1 W2 the squared error is least when W1 W2 projects on the span of the first D
 * eigenvectors of the covariance; any other W1 W2 of rank D is worse (Eckart & Young 1936), and
 * gradient descent ends there, for the error has no other minima (Baldi & Hornik 1989). So of all
 * linear codes of D numbers PCA's is the best, and code=identity with loss=mse can only reach it.
 *
 * A ReLU code divides the space into regions, each with a linear map of its own: the map from codes
 * to logits is linear still, but which columns of W2 take part depends on the picture. The sigmoid
 * of the output adds what a linear map lacks: ink is never below 0 or above 1, and no weight is
 * spent on keeping it there.
 *
 * A ReLU unit whose input is negative for every picture has derivative 0 and never comes back; the
 * code is then smaller than it looks. `tenrec traverse` shows such a unit as a row that does not
 * change. code=tanh has none, but its units saturate: far from 0 the derivative is as good as 0. A
 * code without activation is PCA's kind of code with a sigmoid behind it, and a fair second
 * comparison (code=identity, loss=bce).
 * The size of the code, --set latent=N, is the one knob, and `tenrec compress` tells what it costs
 * in bits.
 *
 * Seen on MNIST, `--epochs 5`: squared error 0.0158 a pixel against the 0.0168 of PCA with as many
 * numbers. A code that was never asked to be robust is not: Gaussian noise of 0.5 comes back with
 * 10.6 dB, from denoising.c with 15.5 dB, and the norm of dz/dx is 22, of contractive.c 0.4. */
static tr_status build(tr_model *m)
{
    return tri_plain_mlp(m, tri_activation_setting(m, "code"), TR_SIGMOID);
}

const tr_model_type tri_model_undercomplete = {
    .name = "undercomplete",
    .summary = "one hidden layer, smaller than the picture",
    .source = "lecture notes, undercomplete autoencoder; Bourlard & Kamp 1988",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 256,
    .epochs = 10,
    .lr = 1e-3,
    .build = build,
    .loss = tri_rows_loss,
    .encode = tri_rows_encode,
    .decode = tri_rows_decode,
};
