#!/usr/bin/env bash
# Builds and runs every C program printed in README.md and docs/*.md: each block that has a main.
#
#   test_programs.sh SOURCE-DIR BUILD-DIR LINK-FLAGS
set -euo pipefail
source=$1 build=$2 link=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -v work="$work" '
    /^```c$/   { inside = 1; text = ""; next }
    /^```$/    { if (inside && text ~ /int main\(/) { file = work "/" ++count ".c"; printf "%s", text > file; close(file)
                 print FILENAME > (work "/" count ".origin") } inside = 0; next }
    inside     { text = text $0 "\n" }
' "$source"/README.md "$source"/docs/*.md
count=0
for program in "$work"/*.c; do
    [ -e "$program" ] || { echo "no program was found" >&2; exit 1; }
    "${CC:-cc}" -std=gnu11 -O1 -Wall -Wextra -Werror -I"$source" "$program" "$build/libtenrec.a" $link -lm -lpthread -o "$work/program"
    (cd "$work" && timeout 120 ./program >program.out 2>&1) ||
        { echo "a program of $(cat "${program%.c}.origin") failed:" >&2; cat "$work/program.out" >&2; exit 1; }
    count=$((count + 1))
done
echo "$count programs built and run"
