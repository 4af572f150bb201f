/* write_docs.c: writes the generated pages of docs/; the build target `docs` runs it.
 * Usage: write_docs FOLDER */
#include "autograd/registry.h"

int main(int argc, char **argv)
{
    char path[4096];
    if (argc != 2) {
        fprintf(stderr, "usage: write_docs FOLDER\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/ops.md", argv[1]);
    tri_write_ops_markdown(path);
    return tr_status_print();
}
