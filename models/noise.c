/* noise.c: pictures spoiled in three ways, for models that learn to restore them and for whoever
 * measures how well a model does. Gaussian noise moves every pixel a little, as a sensor does; a
 * mask loses pixels; salt and pepper replaces them by extremes, which a model trained on the others
 * has never seen. Read next: denoising.c. */
#include "models/zoo.h"

static const char *const names[TR_NOISES] = { "gaussian", "mask", "salt-pepper" };

const char *tr_noise_name(tr_noise kind)
{
    return kind >= 0 && kind < TR_NOISES ? names[kind] : NULL;
}

tr_tensor *tr_add_noise(tr_tensor *x, tr_noise kind, double level, tr_rng *rng)
{
    if (tri_failed() || !tri_check_alive(x, "add_noise")) return NULL;
    if (tr_noise_name(kind) == NULL) {
        tr_fail(TR_ERR_VALUE, "add_noise: %d is not a kind of noise", (int)kind);
        return NULL;
    }
    if (!(level >= 0) || (kind != TR_NOISE_GAUSSIAN && level > 1)) {
        tr_fail(TR_ERR_VALUE, "add_noise: the level of %s noise is %g; it must be %s", names[kind],
                level, kind == TR_NOISE_GAUSSIAN ? "at least 0" : "a probability, 0 .. 1");
        return NULL;
    }
    if (kind == TR_NOISE_GAUSSIAN)
        return tr_clamp(tr_add(x, tr_scale(tr_normal_like(x, rng), level)), 0, 1);
    tr_tensor *hit = tr_less(tr_uniform_like(x, rng), tr_scalar(x->dtype, level));
    tr_tensor *noise = tr_scalar(x->dtype, 0);
    if (kind == TR_NOISE_SALT_PEPPER)
        noise = tr_cast(tr_less(tr_uniform_like(x, rng), tr_scalar(x->dtype, 0.5)), x->dtype);
    return tr_where(hit, noise, x);
}

/* The kind that the option names. */
static tr_noise kind_of(const tr_model *m)
{
    tr_noise kind = TR_NOISE_GAUSSIAN;
    while (kind + 1 < TR_NOISES && !tr_settings_is(m->settings, "noise", names[kind])) kind++;
    return kind;
}

tr_tensor *tri_corrupt(tr_model *m, tr_tensor *x, tr_rng *rng)
{
    const tr_noise kind = kind_of(m);
    const double   level = tr_settings_float(m->settings, "level");
    if (kind != TR_NOISE_MASK || m->blank == NULL) return tr_add_noise(x, kind, level, rng);
    return tr_add(tr_add_noise(tr_sub(x, m->blank), kind, level, rng), m->blank);
}

tr_status tri_check_noise(const tr_model *m)
{
    const double level = tr_settings_float(m->settings, "level");
    if (level <= 1 || kind_of(m) == TR_NOISE_GAUSSIAN) return tr_status_get();
    return tr_fail(TR_ERR_VALUE, "option level: %g is no probability; noise=%s needs 0 .. 1", level,
                   tr_settings_text(m->settings, "noise"));
}
