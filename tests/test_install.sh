#!/usr/bin/env bash
# Installs tenrec into an empty folder and builds a small program against that copy, by CMake's
# find_package and by pkg-config, shared and static; checks what the shared library exports.
#
#   test_install.sh BUILD-DIR [C-FLAGS]
set -euo pipefail
build=$1 flags=${2:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" >"$work/install.log"

mkdir "$work/program"
cat >"$work/program/program.c" <<'PROGRAM'
#include <stdio.h>
#include <tenrec.h>

int main(void)
{
    tr_tensor *x = tr_variable(tr_scalar(TR_F64, 3));
    tr_backward(tr_mul(x, tr_square(x)));
    printf("%g\n", tr_item(x->grad));
    return tr_status_print();
}
PROGRAM
cat >"$work/program/CMakeLists.txt" <<'PROGRAM'
cmake_minimum_required(VERSION 3.21)
project(program LANGUAGES C)
find_package(tenrec 0.1 REQUIRED)
add_executable(shared program.c)
target_link_libraries(shared PRIVATE tenrec::tenrec)
add_executable(static program.c)
target_link_libraries(static PRIVATE tenrec::tenrec_static)
PROGRAM

expect() { # WHAT COMMAND...: the program prints 27, the derivative of x^3 at 3
    local what=$1 got
    shift
    got=$("$@")
    [ "$got" = 27 ] || { echo "$what: printed \"$got\" instead of 27" >&2; exit 1; }
    echo "$what: ok"
}

cmake -S "$work/program" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_FLAGS="$flags" \
    -DCMAKE_BUILD_TYPE=Release >"$work/cmake.log" 2>&1 && cmake --build "$work/cmake" >>"$work/cmake.log" 2>&1 ||
    { cat "$work/cmake.log" >&2; exit 1; }
expect "find_package, shared library" "$work/cmake/shared"
expect "find_package, static library" "$work/cmake/static"

library=$(dirname "$(find "$work/prefix" -name libtenrec.so)")
export PKG_CONFIG_PATH=$library/pkgconfig
"${CC:-cc}" $flags "$work/program/program.c" $(pkg-config --cflags --libs tenrec) -o "$work/pkg"
expect "pkg-config" env LD_LIBRARY_PATH="$library" "$work/pkg"

foreign=$(nm -D --defined-only "$library/libtenrec.so" | awk '{ print $3 }' | grep -v '^tr_' || true)
[ -z "$foreign" ] || { echo "exported, but not tr_: $foreign" >&2; exit 1; }
nm -D "$library/libtenrec.so" | grep -qE ' U (abort|exit|_exit|printf|puts)(@|$)' &&
    { echo "the library can end the process or print: $(nm -D "$library/libtenrec.so" | grep -E ' U (abort|exit|_exit|printf|puts)')" >&2; exit 1; }
echo "exports: only tr_; neither exits nor prints"
