#!/usr/bin/env bash
# test_cli.sh TENREC: the command as a user meets it: exit status, messages to the letter, files whole or
# not there, JSON a line. Runs in a folder of its own, on one thread, on a few images.
set -u
tenrec=$(realpath "$1") || exit 1
. "$(dirname "$0")/command.sh" || exit 1
folder=$(mktemp -d) || exit 1
full=""
cleanup() {
    [ -n "$full" ] && umount "$full" 2>/dev/null
    rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder" || exit 1
export OMP_NUM_THREADS=1
small="--limit 64 --val-limit 32 --batch 16 --set hidden=16"

is_json() { # each line of stdout is an object
    [ -s out ] || complain "no output"
    grep -Evq '^\{"[a-z]+":.*\}$' out && complain "a line that is no JSON object"
}

# --- Wrong usage: exit 2 ---------------------------------------------------------------------------
expect 2 trian vae; says 'there is no command trian; did you mean train?'
expect 2 cook; says 'there is no command cook; tenrec help lists them'
expect 2 help cook; says 'there is no command cook; tenrec help lists them'
expect 2 train vae --epoch 3; says 'train: there is no option --epoch; did you mean --epochs?'
expect 2 train vae --colour red
says 'train: there is no option --colour; tenrec train --help lists them'
expect 2 train vae --epochs 0
says 'train: --epochs is 0; it must be a whole number from 1 to 1000000000'
expect 2 train vae --epochs 1.5
says 'train: --epochs is 1.5; it must be a whole number from 1 to 1000000000'
expect 2 train vae --lr=fast; says 'train: --lr is fast; it must be a number from 1e-12 to 1000000'
expect 2 train vae --lr nan; says 'train: --lr is nan; it must be a number from 1e-12 to 1000000'
expect 2 train vae --epochs; says 'train: --epochs needs a value: --epochs N'
expect 2 train vae --json=yes; says 'train: --json takes no value'
expect 2 train vae deep
says 'train: deep is one word too many; usage: tenrec train MODEL | --resume RUN'
expect 2 train
says 'train: name a model (tenrec models lists them), or go on with --resume RUN'
expect 2 models all; says 'models: takes options only, not all'
expect 2 sample; says 'sample: RUN is missing; usage: tenrec sample RUN'
expect 2 train vea; grep -q '^error: unknown model "vea"; there are undercomplete' err || complain vea
expect 2 train vae --data mnits
grep -q 'there is no kind "mnits"; known are digits,' err || complain mnits
expect 2 train vae --set latent=0
says 'option latent: "0" is not a whole number in 1 .. 65536'
expect 2 train vae --set latent; says '--set is latent; it must be KEY=VALUE, such as --set latent=20'
expect 2 train vae --set wings=2
says 'unknown option "wings"; there are latent, hidden, beta, free_bits, warmup, likelihood, scale, learn_scale'
expect 2 summary vae --input 28; says 'summary: --input is 28; it must be HxWxC, such as 28x28x1'
expect 2 check nothing
says 'check: there is no operation or model nothing; tenrec ops and tenrec models list them'
"$tenrec" >out 2>err; [ $? = 2 ] || complain "no command: not 2"
TENREC_ISA=abacus "$tenrec" models >out 2>err; [ $? = 2 ] || complain "unknown TENREC_ISA: not 2"
grep -q abacus err || complain "unknown TENREC_ISA is not named"

expect 2 bench nothing; says 'bench: there is no case nothing; tenrec bench --list names them'

# --- Missing and damaged files: exit 1, nothing made ---------------------------------------------------
expect 1 train vae --data mnist:"$folder/none"; grep -q "in $folder/none" err || complain "mnist"
expect 1 train --resume none; says 'none: is no run directory: it has no config.json'
expect 1 sample none; says 'none: is no run directory: it has no config.json'
printf '\0\0\010\003\0\0\0\005\0\0\0\010\0\0\0\010short' >cut.idx
expect 1 train vae --data idx:cut.idx; grep -q 'cut.idx' err || complain "cut.idx is not named"
[ -e runs ] && complain "a failed start left a run directory"

# --- Lists ----------------------------------------------------------------------------------------------
expect 0 --version; shows '^tenrec [0-9]+\.[0-9]+\.[0-9]+ \([a-z0-9]+\)$'
expect 0 help; shows '^  train '
expect 0 train --help; shows '--early-stop N'
expect 0 train vae --help; shows 'latent=20 .*\(1 \.\. 65536\)'
expect 0 help train vae; shows 'likelihood=bernoulli .*\(bernoulli\|gaussian\|logistic\)'
for list in models datasets ops; do
    expect 0 $list; shows .
    expect 0 $list --json; is_json; shows '^\{"name":"'
    expect 0 $list --quiet; [ -s out ] && complain "$list --quiet writes"
done
expect 0 summary vae --json; is_json
expect 0 graph vae --out g.dot; head -1 g.dot | grep -q '^digraph step {$' || complain "graph"
grep -q 'label="encoder.0.weight' g.dot || complain "graph without parameters"
expect 0 check relu undercomplete; shows '^ok +relu'
expect 0 check relu --json; is_json; shows '"failed":0'
expect 0 check --quiet
if [ -c /dev/full ]; then
    "$tenrec" ops >/dev/full 2>err; [ $? = 1 ] || complain "a full stdout is no error"
fi

# --- A run --------------------------------------------------------------------------------------------
# shellcheck disable=SC2086
{
expect 0 train vae $small --epochs 2 --json
is_json
[ "$(wc -l <out)" = 3 ] || complain "not a line an epoch and one at the end"
tail -1 out | grep -Eq '^\{"event":"done","model":"vae","data":"digits","epochs":2,"parameters":[0-9]+,"train":\{"loss":[0-9.]+,"reconstruction":[0-9.]+,"kl":[0-9.]+\},"val":\{"loss":[0-9.]+,.*\},"images_per_second":[0-9.]+,"seconds":[0-9.]+,"out":"runs/vae-digits"\}$' ||
    complain "the done event"
run=runs/vae-digits
for file in config.json log.csv model.safetensors checkpoint/checkpoint.safetensors report.html; do
    [ -s "$run/$file" ] || complain "$file is missing"
done
ls "$run"/*.tmp* "$run"/checkpoint/*.tmp* 2>/dev/null && complain "a temporary file is left"
expect 0 train vae $small --epochs 2 --quiet; [ -s out ] && complain "--quiet writes"
cmp -s "$run/model.safetensors" runs/vae-digits-2/model.safetensors || complain "same seed, other bits"
expect 0 train vae $small --epochs 2 --out threads --threads 2; shows 'epoch 2/2  train'
cmp -s "$run/model.safetensors" threads/model.safetensors || complain "threads change the bits"
grep -q $'\033' out && complain "escape codes in a pipe"
expect 1 train vae --out threads
says 'threads: is not empty; resume that run, or choose another folder'
expect 0 train denoising $small --epochs 1 --out threads --overwrite
grep -q '"model": "denoising"' threads/config.json || complain "overwrite kept the old run"

# A relative data file is kept as an absolute one: the run works from any folder, and gives the same bits
# from any, with and without the bar of a terminal.
for i in $(seq 40); do echo "$((i % 7)),$((i % 5)),$((i % 3)),$i"; done >table.csv
mkdir -p elsewhere/deep
expect 0 train undercomplete --data csv:table.csv --epochs 2 --batch 8 --out here --no-report
grep -q "\"data\": \"csv:$(pwd)/table.csv\"" here/config.json || complain "the data's place is not absolute"
(cd elsewhere/deep && "$tenrec" eval ../../here >out 2>err) || complain "eval from another folder"
(cd elsewhere/deep && "$tenrec" train undercomplete --data csv:../../table.csv --epochs 2 --batch 8 \
    --out ../there --no-report >out 2>err) || complain "training from another folder"
cmp -s here/model.safetensors elsewhere/there/model.safetensors || complain "another folder, other bits"
if command -v script >/dev/null; then
    script -qec "'$tenrec' train undercomplete --data csv:table.csv --epochs 2 --batch 8 --out bar --no-report" \
        /dev/null </dev/null >out 2>err || complain "training on a terminal"
    grep -q $'\033' out || complain "no bar on a terminal"
    cmp -s here/model.safetensors bar/model.safetensors || complain "a bar changes the bits"
fi

# --- The options of a training ------------------------------------------------------------------------
expect 2 train vae --schedule linear
says 'schedule is "linear"; it must be constant, step, exponential, cosine or plateau'
expect 2 train vae --lr-every 2
says 'train: lr_every is 2, but a schedule that is constant has no use for it; step and plateau have'
expect 2 train vae --ema 1; says 'train: --ema is 1; it must be a number from 1e-06 to 0.999999'
expect 2 train vae --clip-norm 0; says 'train: --clip-norm is 0; it must be a number from 1e-12 to 1e+12'
expect 2 train pca --ema 0.9
says 'train: pca finds its weights in one pass and takes no steps: leave ema out'
expect 2 train vae --watch --no-report; says 'train: give --watch or --no-report, not both'
expect 2 train --resume $run --schedule cosine
says 'train: --schedule is fixed by the run that --resume goes on with'
asked="--schedule cosine --warmup 2 --lr-min 0.0001 --clip-norm 1 --clip-value 0.5 --ema 0.9 --accumulate 2"
asked="$asked --keep-best --checkpoint-every 1 --checkpoint-minutes 5 --log-every 1"
expect 0 train vae $small --epochs 2 $asked --watch --out asked --json
is_json; shows '^\{"event":"step","step":1,"epoch":0.5,"train":\{"loss":[0-9.]+,.*\},"lr":0.000333[0-9]*\}$'
[ "$(wc -l <asked/steps.csv)" = 5 ] || complain "not a row a step"
grep -q 'http-equiv' asked/report.html && complain "the last report goes on refreshing"
grep -q -- "$asked --watch" asked/report.html || complain "the report does not name all options"
for key in '"schedule": "cosine"' '"ema": 0.9' '"accumulate": 2' '"watch": true' '"keep_best": true'; do
    grep -q "$key" asked/config.json || complain "$key is not in config.json"
done

# --- Sweeps ---------------------------------------------------------------------------------------------
expect 2 train vae --sweep beta
says 'train: --sweep is beta; it must be KEY=VALUE,VALUE,..., such as --sweep lr=0.001,0.01'
expect 2 train vae --sweep wings=1,2
says 'train: --sweep: wings is no option of vae, nor a number of the training'
expect 2 train vae --sweep beta=1,x; says 'option beta: "x" is not a number in 0 .. 1000000'
expect 2 train vae --sweep lr=0.1,-1
says 'train: --lr is -1; it must be a number from 1e-12 to 1000000'
expect 0 train vae $small --epochs 2 --sweep beta=0.5,4 --sweep batch=16,32 --out sweep --json
is_json; shows '^\{"event":"run","run":4,"runs":4,"name":"beta=4,batch=32","out":"sweep/beta=4,batch=32"\}$'
tail -1 out | grep -Eq '^\{"event":"sweep","runs":\[\{"run":"beta=0.5,batch=16","loss":[0-9.]+,.*"out":"sweep/report.html"\}$' ||
    complain "the sweep event"
for name in beta=0.5,batch=16 beta=0.5,batch=32 beta=4,batch=16 beta=4,batch=32; do
    [ -s sweep/$name/model.safetensors ] || complain "sweep: no $name"
    grep -q ">$name<" sweep/report.html || complain "the comparison lacks $name"
done
expect 0 train vae --limit 64 --val-limit 32 --set hidden=16 --epochs 2 --set beta=4 --batch 32 --out alone --no-report
cmp -s alone/model.safetensors sweep/beta=4,batch=32/model.safetensors || complain "sweep: other bits"
expect 1 train vae --sweep beta=1 --out sweep
says 'sweep: is not empty; resume that run, or choose another folder'
# Stopped where it likes, it goes on where it was.
wide="--limit 2000 --val-limit 8 --batch 8 --epochs 3"
"$tenrec" train undercomplete $wide --sweep seed=1,2,3 --no-report --out stopped >out 2>err &
pid=$!
for _ in $(seq 400); do [ -s stopped/seed=1/log.csv ] && break; sleep 0.02; done
kill -INT $pid; wait $pid; status=$?
[ $status = 130 ] || complain "a sweep that is interrupted: exit $status"
grep -q '^interrupted; go on with: tenrec train --resume stopped$' err || complain "how a sweep goes on"
expect 0 train --resume stopped; shows '^run 3/3: seed=3$'; shows '^seed=3 '
expect 0 train undercomplete $wide --seed 1 --no-report --out seed1
cmp -s seed1/model.safetensors stopped/seed=1/model.safetensors || complain "a resumed sweep has other bits"
expect 2 train --resume stopped --epochs 5
says 'train: --epochs is fixed by the sweep that --resume goes on with'
printf '{' >stopped/sweep.json
expect 1 train --resume stopped; grep -q '^error: stopped/sweep.json' err || complain "cut sweep.json"
# A run that diverges does not end the sweep.
expect 1 train deep --limit 48 --val-limit 8 --batch 16 --epochs 1 --sweep lr=1000000,0.001 --no-report --out diverges
grep -q '^error: sweep: 1 of 2 runs failed; the first: lr=1000000: train: the loss is' err || complain "diverged"
grep -q '^lr=0.001 ' out || complain "the sweep ended with the first run that diverged"

# --- On a run -----------------------------------------------------------------------------------------
expect 0 eval $run --limit 50; shows 'loss'
expect 0 eval $run --limit 50 --json; is_json; shows '"images":50,"test":\{"loss":'
for draw in reconstruct denoise sample interpolate; do
    expect 0 $draw $run -n 4 --out $draw.ppm --json
    is_json
    head -c 2 $draw.ppm | grep -Eq '^P[56]' || complain "$draw.ppm is no picture"
done
cp sample.ppm first.ppm
expect 0 sample $run -n 4 --out sample.ppm --seed 0; cmp -s sample.ppm first.ppm || complain "sample, same seed"
expect 0 sample $run -n 4 --out sample.ppm --seed 1; cmp -s sample.ppm first.ppm && complain "sample, other seed"
rm $run/report.html
expect 0 report $run; [ -s $run/report.html ] || complain "report"
expect 1 sample threads; grep -q denoising err || complain "sampling from what cannot"
expect 1 sample $run --out nowhere/x.ppm; grep -q 'nowhere/x.ppm' err || complain "unwritable --out"

# --- Resume -------------------------------------------------------------------------------------------
expect 0 train vae $small --epochs 5 --out whole --no-report
expect 0 train vae $small --epochs 2 --out parts --no-report
expect 0 train --resume parts --epochs 5 --no-report
cmp -s whole/model.safetensors parts/model.safetensors || complain "resumed, other bits"
expect 2 train --resume parts --epochs 3
says 'train: epochs is 3, but epoch 5 of this run was begun'
expect 2 train --resume parts --lr 0.1
says 'train: --lr is fixed by the run that --resume goes on with'
expect 2 train vae --resume parts
says "train: --resume goes on with the run's own model; leave vae out"

# Interrupted by a signal, twice, then to the end.
for signal in INT TERM; do
    "$tenrec" train vae --limit 640 --val-limit 8 --batch 16 --set hidden=16 --epochs 200 --out signal-$signal \
        >out 2>err &
    pid=$!
    for _ in $(seq 200); do [ -s signal-$signal/log.csv ] && break; sleep 0.05; done
    "$tenrec" train --resume signal-$signal >out2 2>err2
    [ $? = 1 ] || complain "a second process was let in"
    grep -q "^error: signal-$signal: another process is training in this folder$" err2 || complain "lock"
    kill -$signal $pid
    wait $pid
    status=$?
    [ $status = $((128 + $(kill -l $signal))) ] || complain "SIG$signal: exit $status"
    grep -q "^interrupted; go on with: tenrec train --resume signal-$signal$" err || complain "SIG$signal"
    rows=$(($(wc -l <signal-$signal/log.csv) - 1))
    expect 0 train --resume signal-$signal --epochs $((rows + 2)) --no-report
    expect 0 train vae --limit 640 --val-limit 8 --batch 16 --set hidden=16 --epochs $((rows + 2)) \
        --out again-$signal --no-report
    cmp -s signal-$signal/model.safetensors again-$signal/model.safetensors ||
        complain "SIG$signal: resumed, other bits"
done
cut -d, -f1-8 signal-INT/log.csv >a; cut -d, -f1-8 again-INT/log.csv >b
cmp -s a b || complain "the log of a resumed run differs"

# --- What goes wrong ----------------------------------------------------------------------------------
expect 1 train deep --limit 640 --val-limit 8 --batch 16 --epochs 3 --lr 1000000 \
    --out wild
grep -Eq '^error: train: the loss is (NaN|infinite) in epoch [0-9]+, step [0-9]+; it began with .*; try a lower learning rate than 1e\+06$' err ||
    complain "NaN"
[ -e wild/report.html ] && complain "a failed run has a report"

head -c 700 whole/checkpoint/checkpoint.safetensors >cut && cp cut whole/checkpoint/checkpoint.safetensors
expect 1 train --resume whole --epochs 6; grep -q 'checkpoint.safetensors' err || complain "cut checkpoint"
head -c 700 parts/model.safetensors >cut && cp cut parts/model.safetensors
expect 1 sample parts; grep -q 'model.safetensors' err || complain "cut weights"
cp again-INT/model.safetensors threads/model.safetensors
expect 1 eval threads; grep -q 'threads/model.safetensors' err || complain "weights of another model"
sed -i 's/"model": "vae"/"model": "vea"/' again-INT/config.json
expect 2 sample again-INT; grep -q 'unknown model "vea"' err || complain "config of no model"
printf '{' >again-TERM/config.json
expect 1 sample again-TERM; grep -q '^error: again-TERM/config.json' err || complain "cut config"
}

# --- A full disk --------------------------------------------------------------------------------------
mkdir full
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=512k tmpfs "$folder/full" 2>/dev/null; then
    full=$folder/full
    expect 1 train vae --limit 64 --val-limit 8 --batch 16 --epochs 1 --out full/run
    grep -q 'checkpoint.safetensors: cannot write: No space left on device' err || complain "full disk"
    [ -e full/run/checkpoint/checkpoint.safetensors ] && complain "a part of a file on a full disk"
    ls full/run/*.tmp* full/run/checkpoint/*.tmp* 2>/dev/null && complain "a temporary file on a full disk"
else
    echo "skipped: a full disk (needs root and mount)"
fi

[ $failures = 0 ] && echo "all passed"
exit $((failures > 0))
