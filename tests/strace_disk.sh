#!/usr/bin/env bash
# strace_disk.sh TENREC: what test_disk.sh shows with a library, seen from the kernel's side: strace kills a
# training at the n-th openat, write, fsync, close, rename or mkdir, whoever makes it, for every n, and lets
# it fail with ENOSPC and EIO. Each time the training must go on and end with the same bits. Needs strace;
# `cmake --build build/release --target disk-strace` runs it, in a minute or two.
set -u
tenrec=$(realpath "$1") || exit 1
command -v strace >/dev/null || { echo "error: this test needs strace" >&2; exit 1; }
folder=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export OMP_NUM_THREADS=1
train=(train vae --limit 32 --val-limit 8 --batch 16 --epochs 1 --checkpoint-every 1 --set hidden=8
    --set latent=2 --no-report --quiet --out run)
"$tenrec" "${train[@]}" || exit 1
mv run whole
failures=0 faults=0 killed=0
for inject in signal=KILL error=ENOSPC error=EIO; do
    for call in openat write fsync close rename mkdir; do
        for ((n = 1; ; n++)); do
            rm -rf run
            { strace -f -o trace -e trace=$call -e inject=$call:$inject:when=$n "$tenrec" "${train[@]}"; } 2>err
            [ "$(grep -c "^[0-9]* *$call(" trace)" -lt $n ] && break
            faults=$((faults + 1))
            grep -q '+++ killed by SIGKILL' trace && killed=$((killed + 1))
            if [ -e run/config.json ]; then
                "$tenrec" train --resume run --quiet --no-report
            else
                "$tenrec" "${train[@]}"
            fi
            cmp -s run/model.safetensors whole/model.safetensors && continue
            echo "FAILED: $inject at $call $n"
            failures=$((failures + 1))
        done
    done
done
echo "$faults faults, $killed killed, $failures failures"
exit $((failures > 0))
