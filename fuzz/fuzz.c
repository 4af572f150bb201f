/* fuzz.c: libFuzzer's entry points. The first argument names the target; the others are
 * libFuzzer's.
 *
 * In safetensors files eight bytes give the length of the header, and a random change of either is
 * refused before anything else is read: half of the changes therefore set the field anew. */
#include "fuzz/targets.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int    LLVMFuzzerInitialize(int *argc, char ***argv);
int    LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t count, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t most, unsigned seed);

static const fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    target = *argc > 1 ? fuzz_target_find((*argv)[1]) : NULL;
    if (target == NULL) {
        fprintf(stderr, "usage: fuzz TARGET [LIBFUZZER-ARGUMENT]...; the targets are\n");
        for (const fuzz_target *t = fuzz_targets; t->name != NULL; t++)
            fprintf(stderr, "%s %zu\n", t->name, t->most);
        exit(2);
    }
    memmove(*argv + 1, *argv + 2, (size_t)(*argc - 1) * sizeof **argv);
    --*argc;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    fuzz_run(target, bytes, count);
    return 0;
}

/* The header of a safetensors file ends with the last '}' before the values. */
static void set_header_length(uint8_t *bytes, size_t count)
{
    uint64_t length = 0;
    memcpy(&length, bytes, 8);
    for (size_t i = 8; i < count; i++)
        if (bytes[i] == '}') length = i - 7;
    memcpy(bytes, &length, 8);
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t most, unsigned seed)
{
    count = LLVMFuzzerMutate(bytes, count, most);
    const bool tensors = strcmp(target->file, "input.safetensors") == 0;
    if (tensors && count > 8 && seed % 2 == 0) set_header_length(bytes, count);
    return count;
}
