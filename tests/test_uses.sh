#!/usr/bin/env bash
# test_uses.sh TENREC [PYTHON]: the commands on a trained run: figures, files, messages, exit status.
# Runs in a folder of its own, on one thread, on a few images.
set -u
tenrec=$(realpath "$1") || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export OMP_NUM_THREADS=1
failures=0

complain() {
    echo "FAILED: $*"
    echo "  stdout: $(head -c 600 out)"
    echo "  stderr: $(head -c 600 err)"
    failures=$((failures + 1))
}

# expect STATUS ARGUMENTS...: runs the command, keeps its output in `out` and `err`.
expect() {
    local status=$1 got
    shift
    "$tenrec" "$@" >out 2>err
    got=$?
    [ "$got" = "$status" ] || complain "tenrec $*: exit $got, not $status"
    if [ "$status" = 0 ]; then
        [ -s err ] && complain "tenrec $*: success with something on stderr"
    elif [ "$(wc -l <err)" != 1 ]; then
        complain "tenrec $*: not one line on stderr"
    fi
}

says() { # says TEXT: the line on stderr is "error: TEXT"
    [ "$(cat err)" = "error: $1" ] || complain "the message is not: error: $1"
}

shows() { # shows PATTERN: stdout matches it
    grep -Eq -- "$1" out || complain "stdout does not match $1"
}

picture() { # picture FILE: it is one
    head -c 2 "$1" | grep -Eq '^P[56]' || complain "$1 is no picture"
}

small="--limit 600 --val-limit 100 --batch 32 --epochs 1 --no-report --quiet"
# shellcheck disable=SC2086
{
expect 0 train vae $small --set hidden=32 --set latent=5 --out vae
expect 0 train vae $small --set hidden=32 --set latent=2 --out plane
expect 0 train undercomplete $small --set latent=8 --out plain
}

# --- The space of codes --------------------------------------------------------------------------------
expect 0 traverse vae --out t.ppm --steps 4 --json; picture t.ppm
shows '^\{"event":"traverse","latents":\[(\{"latent":"z[0-4]","deviation":[0-9.e-]+,"effect":[0-9.e-]+\},?){5}\],"out":"t.ppm"\}$'
expect 0 traverse plain --out t.ppm --latents 7,0; shows '^z7 '
expect 2 traverse vae --latents 5
says 'traverse: --latents is 5; it must be whole numbers from 0 to 4 with commas between, at most 256'
expect 2 traverse vae --image 10000; says 'traverse: --image is 10000; the test split has 0 .. 9999'
expect 0 manifold plane --out m.ppm -n 5; picture m.ppm; shows '^images +25 at normal quantiles'
expect 1 manifold vae
says 'manifold: the code of this model has 5 numbers; a map needs 2, such as those of a model trained with --set latent=2'
expect 0 arithmetic vae --a 3 --b 1 --c 7 --out a.ppm --json; picture a.ppm
shows '"shift":[0-9.]+,"nearest_class":[0-9]'
expect 2 arithmetic vae --b ten; says 'ten is no class of digits; they are 0 .. 9, or their names'
expect 1 traverse none; says 'none: is no run directory: it has no config.json'
expect 1 traverse vae --out nowhere/t.ppm; grep -q nowhere/t.ppm err || complain "unwritable --out"
for command in traverse manifold arithmetic; do
    expect 0 $command --help; shows '--out FILE'
done

[ $failures = 0 ] && echo "all passed"
exit $((failures > 0))
