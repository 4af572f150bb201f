/* export.c: `export`: the weights of a run for other programs. Read next: train/export.c. */
#include "cli/uses.h"

#include <string.h>

const arg_option export_options[] = {
    { "to", 0, ARG_TEXT, "KIND", 0, 0,
      "torch: FILE.safetensors and FILE.py, a module definition; npz: FILE [torch]" },
    { "out", 0, ARG_TEXT, "FILE", 0, 0, "where to [RUN/model_torch or RUN/model.npz]" },
    { 0 },
};

int run_export(const args *a)
{
    const char *kind = text_of(a, "to", "torch");
    const bool  torch = strcmp(kind, "torch") == 0;
    if (!torch && strcmp(kind, "npz") != 0)
        return usage_error(a, "--to is %s; it must be torch or npz", kind);
    tr_run *run = open_run(a, TR_OPEN_WEIGHTS, false);
    if (run == NULL) return end_setup();
    char *path = text_from("%s", out_path(a, run, torch ? "model_torch" : "model.npz"));
    if (path == NULL) return end_run();
    for (int i = 0; i < 2 && torch; i++) { /* FILE may be given with either ending */
        const char *ending = i == 0 ? ".safetensors" : ".py";
        if (ends_with(path, ending)) path[strlen(path) - strlen(ending)] = '\0';
    }
    if (torch)
        tr_export_torch(run->model, path);
    else
        tr_export_npz(run->model, path);
    if (tr_status_get() == TR_OK)
        tell(a, torch ? text_from("%s.py", path) : path,
             &(figure){ "parameters", "", (double)tr_module_parameter_count(run->model->net) }, 1,
             NULL);
    return end_run();
}
