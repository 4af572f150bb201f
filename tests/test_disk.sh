#!/usr/bin/env bash
# test_disk.sh TENREC FAULT: whatever a disk does, no file is ever a part of one. FAULT is the library made
# from fault.c; with it each system call on a file, one after another, fails (full disk, input/output error,
# read-only file system), finds the run directory gone, or is where the process is killed. Then:
#   - the exit status is 1 and one line says which file and why; or it is 0 and all results are there;
#   - files that were there are as they were, or replaced whole; temporary files are gone;
#   - a training goes on from there and ends with the same bits.
set -u
tenrec=$(realpath "$1") || exit 1
shim=$(realpath "$2") || exit 1
folder=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 1 # in memory: thousands of fsyncs
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export OMP_NUM_THREADS=1 TENREC_FAULT_FOLDER=run
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0:detect_leaks=0
failures=0
faults=0

complain() {
    echo "FAILED: $*"
    [ -s err ] && echo "  stderr: $(<err)"
    failures=$((failures + 1))
    [ $failures -lt 20 ] || exit 1
}

# faulty KIND ARGUMENTS...: runs the command with a fault; sets `status`.
faulty() {
    local kind=$1
    shift
    rm -f log
    { TENREC_FAULT=$kind TENREC_FAULT_LOG=$folder/log LD_PRELOAD=$shim "$tenrec" "$@" >out 2>err; } 2>/dev/null
    status=$?
    faults=$((faults + 1))
}

# How many calls the command makes without a fault.
count_calls() {
    faulty none "$@"
    [ $status = 0 ] || complain "$*: exit $status without a fault"
    calls=$(wc -l <log)
}

# A failure is told by one line that names a file and the reason; a success by none.
check_message() { # check_message WHAT KIND
    local text reason
    text=$(<err)
    case $2 in
        enospc*) reason="No space left on device" ;;
        eio*) reason="Input/output error" ;;
        erofs*) reason="Read-only file system" ;;
        vanish*) reason="No such file or directory" ;;
        kill*) [ $status = 137 ] || [ $status = 0 ] || complain "$1: exit $status"; return ;;
    esac
    case $status in
        0) [ -z "$text" ] || complain "$1: success, and a message" ;;
        1) [[ $text =~ ^"error: "[^\ ]+": cannot "[a-z\ ]+": $reason"$ ]] || complain "$1: the message" ;;
        *) complain "$1: exit $status" ;;
    esac
    [ $status != 0 ] || ! grep -Eq '^hit [0-9]+ (write|fsync|rename)' log || complain "$1: success"
}

# --- Pictures to train on: 100 of 8 x 8 pixels in two classes ---------------------------------------------
make_pictures() {
    local i k
    printf '\0\0\010\003\0\0\0\144\0\0\0\010\0\0\0\010'
    for ((i = 0; i < 100; i++)); do
        for ((k = 0; k < 64; k++)); do
            # shellcheck disable=SC2059
            printf "\\$(printf %o $(((k / 8 + i % 2 * k + i / 10) * 29 % 256)))"
        done
    done
}
make_pictures >pictures
{ printf '\0\0\010\001\0\0\0\144'; for ((i = 0; i < 50; i++)); do printf '\0\001'; done; } >labels
data=idx:$folder/pictures,$folder/labels

# --- A training ---------------------------------------------------------------------------------------------
train=(train undercomplete --data "$data" --limit 32 --batch 16 --epochs 2 --checkpoint-every 1
    --set hidden=8 --set latent=2 --no-report --quiet --out run)
count_calls "${train[@]}"
training_calls=$calls
# A file is on the disk before it takes its name, and the name is before the next file is begun.
awk '$2 == "write" { dirty = 1 } $2 == "fsync" { dirty = renamed = 0 }
    $2 == "rename" { bad += dirty; renamed = 1 } $2 == "open" && /tmp-/ { bad += renamed }
    END { exit bad > 0 }' log || complain "a file is renamed before it is on the disk, or its folder is not"
mv run whole
cut -d, -f1-6 whole/log.csv >whole.log

# Goes on from what is there, without faults, and compares with the training that had none.
finish_training() { # finish_training WHAT
    if [ -e run.gone ]; then
        rm -rf run
        mv run.gone run
    fi
    if [ -e run/config.json ]; then
        "$tenrec" train --resume run --quiet --no-report >out 2>err || complain "$1: cannot go on"
    else
        "$tenrec" "${train[@]}" >out 2>err || complain "$1: cannot begin again"
    fi
    cmp -s run/model.safetensors whole/model.safetensors || complain "$1: other weights"
    cut -d, -f1-6 run/log.csv | cmp -s - whole.log || complain "$1: another log"
    compgen -G "run/*.tmp*" >left && complain "$1: $(<left) is left"
    compgen -G "run/checkpoint/*.tmp*" >left && complain "$1: $(<left) is left"
    rm -rf run
}

step=1
for kind in enospc+ eio kill erofs+ vanish; do
    [ $kind = erofs+ ] && step=5 # the writer meets these as it meets the first two
    for ((n = 1; n <= training_calls; n += step)); do
        fault=${kind%+}:$n${kind#"${kind%+}"}
        faulty "$fault" "${train[@]}"
        check_message "training, $fault" "$kind"
        if [ $status = 1 ] && [ $kind = enospc+ ]; then
            compgen -G "run/*.tmp*" >left && complain "training, $fault: $(<left) is left"
            compgen -G "run/checkpoint/*.tmp*" >left && complain "training, $fault: $(<left) is left"
        fi
        finish_training "training, $fault"
    done
done
for kind in eintr short; do
    faulty $kind "${train[@]}"
    [ $status = 0 ] || complain "training, $kind: exit $status"
    finish_training "training, $kind"
done

# Going on meets faults as well, of reading too; the run stays what it was.
"$tenrec" "${train[@]}" --epochs 1 || complain "one epoch"
cp -r run half
count_calls train --resume run --epochs 2 --quiet --no-report
for kind in eio kill; do
    for ((n = 1; n <= calls; n++)); do
        rm -rf run && cp -r half run
        faulty "$kind:$n" train --resume run --epochs 2 --quiet --no-report
        check_message "resuming, $kind:$n" $kind
        [ -e run/model.safetensors ] || complain "resuming, $kind:$n: the weights are gone"
        "$tenrec" train --resume run --epochs 2 --quiet --no-report >out 2>err || complain "resuming, $kind:$n"
        cmp -s run/model.safetensors whole/model.safetensors || complain "resuming, $kind:$n: other weights"
    done
done
rm -rf run half

# A new run in the place of an old one: until its first step it is one or the other, at its beginning.
"$tenrec" "${train[@]}" --seed 5
cp -r run old
count_calls "${train[@]}" --overwrite
for ((n = 1; n <= 40; n++)); do
    rm -rf run && cp -r old run
    faulty kill:$n "${train[@]}" --overwrite
    "$tenrec" "${train[@]}" --overwrite >out 2>err || complain "replacing, kill:$n"
    cmp -s run/model.safetensors whole/model.safetensors || complain "replacing, kill:$n: other weights"
done

# --- A sweep: it goes on from what is in its folder, and all its runs are those of one without faults --------
sweep=(train undercomplete --data "$data" --limit 32 --batch 16 --epochs 1 --set latent=2
    --sweep hidden=4,8 --no-report --quiet --out run)
rm -rf run old whole
count_calls "${sweep[@]}"
mv run whole

finish_sweep() { # finish_sweep WHAT
    local again=("${sweep[@]}") value
    [ ! -e run/sweep.json ] || again=(train --resume run --quiet)
    "$tenrec" "${again[@]}" >out 2>err || complain "$1: cannot go on"
    for value in 4 8; do
        cmp -s {run,whole}/hidden=$value/model.safetensors || complain "$1: other weights, hidden=$value"
    done
    [ -e run/report.html ] || complain "$1: no page"
    find run -name 'sweep.json.tmp*' | grep . >left && complain "$1: $(<left) is left"
    rm -rf run
}

for kind in enospc+ eio kill; do
    [ $kind = kill ] && step=1 || step=3
    for ((n = 1; n <= calls; n += step)); do
        fault=${kind%+}:$n${kind#"${kind%+}"}
        faulty "$fault" "${sweep[@]}"
        check_message "sweep, $fault" "$kind"
        finish_sweep "sweep, $fault"
    done
done

# --- Every command that writes ------------------------------------------------------------------------------
rm -rf whole
mkdir results
"$tenrec" train vae --data "$data" --limit 64 --batch 16 --epochs 1 --set hidden=8 --set latent=2 \
    --quiet --no-report --out run || complain "a run"
"$tenrec" train denoising --data "$data" --limit 64 --batch 16 --epochs 1 --set hidden=8 \
    --quiet --no-report --out noisy || complain "a run"

for ((i = 0; i < 100; i++)); do echo "u$((i % 20)),i$((i % 7)),$((1 + i * 3 % 5))"; done >ratings.csv
"$tenrec" train undercomplete --data ratings:$folder/ratings.csv --epochs 1 --set hidden=8 --quiet \
    --no-report --out rated || complain "a run on ratings"

files_in() {
    (cd "$1" && find . -type f | sort)
}

# each_fault COMMAND...: writes into results/ (or run/report.html); each call in turn fails.
each_fault() {
    local kind n file step=1
    rm -rf results && mkdir results
    count_calls "$@"
    rm -rf good && cp -r results good
    [ "$1" != report ] || cp run/report.html good/
    files_in good >names
    for kind in enospc+ eio vanish; do
        [ $kind != vanish ] || step=4
        for ((n = 1; n <= calls; n += step)); do
            while read -r file; do
                mkdir -p "$(dirname "results/$file")"
                echo old >"results/$file"
            done <names
            [ "$1" != report ] || mv results/report.html run/
            TENREC_FAULT_FOLDER=results faulty "${kind%+}:$n${kind#"${kind%+}"}" "$@" --quiet
            [ ! -e results.gone ] || { rm -rf results; mv results.gone results; }
            [ "$1" != report ] || cp run/report.html results/
            check_message "$1, $kind:$n" "$kind"
            [ $kind = vanish ] && status=1 # results may be in either folder
            while read -r file; do
                cmp -s "good/$file" "results/$file" ||
                    { [ $status != 0 ] && [ "$(<"results/$file")" = old ]; } ||
                    complain "$1, $kind:$n: $file is neither old nor new"
            done <names
            files_in results | cmp -s - names || [ $kind = vanish ] ||
                complain "$1, $kind:$n: something is left over"
        done
    done
}

each_fault report run
each_fault reconstruct run -n 4 --out results/a.ppm
each_fault denoise noisy -n 4 --limit 8 --out results/a.ppm
each_fault sample run -n 4 --out results/a.ppm
each_fault interpolate run -n 2 --out results/a.ppm
each_fault traverse run --steps 2 --out results/a.ppm
each_fault manifold run -n 2 --out results/a.ppm
each_fault arithmetic run --a 1 --b 1 --c 1 --out results/a.ppm
each_fault anomaly run --limit 8 --picture results/a.ppm --out results/a.csv
each_fault impute run --limit 8 --out results/a.ppm
each_fault impute run --limit 8 --out results/a.csv
each_fault embed run --limit 8 --picture results/a.ppm --out results/a.npy
each_fault embed run --limit 8 --picture results/a.ppm --out results/a.csv
each_fault probe run --limit 20 --test-limit 8 --out results/a.ppm
each_fault compress noisy --limit 8 --bits 3 --out results/a.ppm --csv results/a.csv
each_fault export noisy --out results/a.py
each_fault export run --to npz --out results/a.npz
each_fault graph undercomplete --out results/a.dot
each_fault compare run noisy --limit 8 --out results/a.html --markdown results/a.md
each_fault datasets --show "$data" -n 4 --out results/a.ppm
each_fault recommend rated -n 2 --out results/a.csv

echo "$faults faults"
[ $failures = 0 ] && echo "all passed"
exit $((failures > 0))
