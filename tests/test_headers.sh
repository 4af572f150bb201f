#!/usr/bin/env bash
# test_headers.sh SOURCE HEADER...: each public header compiles alone, as strict C11 and as C++, with
# each of gcc, clang, g++ and clang++ that is installed; it has 350 lines at most.
set -u
source=$1
shift
flags=(-Wall -Wextra -Werror -fsyntax-only -I "$source")
failed=0
compiled=0

# complain COMMAND...: runs it quietly; shows what it says and remembers when it fails.
complain() {
  if ! "$@" >/dev/null; then
    echo "failed: $*" >&2
    failed=1
  fi
}

for header in "$@"; do
  for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    complain $compiler -std=c11 -pedantic "${flags[@]}" -x c "$source/$header"
    compiled=$((compiled + 1))
  done
  for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    complain $compiler -std=c++11 "${flags[@]}" -x c++ "$source/$header"
    compiled=$((compiled + 1))
  done
  lines=$(wc -l <"$source/$header")
  if [ "$lines" -gt 350 ]; then
    echo "$header: $lines lines" >&2
    failed=1
  fi
done
echo "$# headers, $compiled compilations"
[ $compiled -gt 0 ] && [ $failed -eq 0 ]
