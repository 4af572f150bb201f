#!/usr/bin/env bash
# test_every_function.sh LIBRARY SOURCES: every function that the library exports is an operation of ops.def,
# or named in a test that lets every allocation fail in turn. Called on the way: what operations' own rules
# call, and the function that prints the error.
set -u
command -v nm >/dev/null || { echo "skipped: no nm"; exit 0; }
exported=$(nm --defined-only "$1" | awk '$2 == "T" && $3 ~ /^tr_/ { print $3 }' | sort -u)
[ "$(wc -l <<<"$exported")" -gt 300 ] || { echo "FAILED: nm shows no functions"; exit 1; }
cd "$2/tests" || exit 1
elsewhere="tr_fail_call tr_status_print tr_wants"
named=$(grep -ohE '\btr_[a-z0-9_]+' test_every_function.c test_out_of_memory.c test_composed_memory.c \
    test_models.c test_tensor.c test_files.c test_readers.c failing.h small.h)
operations=$(sed -nE 's/.*TR_OP\(([a-z0-9_]+)\).*/tr_\1/p' ../autograd/ops.def)
# shellcheck disable=SC2086
missing=$(comm -23 <(echo "$exported") <(printf '%s\n' $named $operations $elsewhere | sort -u))
[ -z "$missing" ] && exit 0
echo "FAILED: no test lets the allocations of these fail:" $missing
exit 1
