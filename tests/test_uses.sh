#!/usr/bin/env bash
# test_uses.sh TENREC [PYTHON]: the commands on a trained run: figures, files, messages, exit status.
# Runs in a folder of its own, on one thread, on a few images.
set -u
tenrec=$(realpath "$1") || exit 1
. "$(dirname "$0")/command.sh" || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export OMP_NUM_THREADS=1

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

# --- Anomalies -----------------------------------------------------------------------------------------
# shellcheck disable=SC2086
expect 0 train undercomplete $small --classes 0,1 --out normal
grep -q '"train_classes": "0,1"' normal/config.json || complain "classes are not kept"
# shellcheck disable=SC2086
expect 0 train undercomplete $small --exclude 9 --out most
grep -q '"train_classes": "!9"' most/config.json || complain "excluded classes are not kept"
expect 2 train undercomplete --classes 0 --exclude 1
says 'train: give --classes or --exclude, not both'
expect 2 train undercomplete --classes 0,12
says 'dataset: "12" is no class of digits; they are 0 .. 9, or their names'
expect 0 anomaly normal --limit 300 --picture a.ppm --out a.csv --json; picture a.ppm
shows '"images":300,"threshold":[0-9.e-]+,"flagged":[0-9]+,"anomalies":[0-9]+,"roc_auc":0\.[0-9]+,"average_precision":0\.'
[ "$(wc -l <a.csv)" = 301 ] || complain "a.csv"
[ "$(head -1 a.csv)" = index,label,score,flagged,anomalous ] || complain "head of a.csv"
expect 0 anomaly vae --normal 3 --limit 100 --picture a.ppm --out a.csv; shows '^roc_auc'
expect 0 anomaly vae --limit 100 --picture a.ppm --out a.csv
grep -q roc_auc out && complain "an AUC without normal classes"
expect 2 anomaly plain --score elbo --limit 10
says 'anomaly: undercomplete has no likelihood; score by the error instead'
expect 2 anomaly plain --score luck; says 'anomaly: --score is luck; it must be error or elbo'

# --- Missing values ------------------------------------------------------------------------------------
for hidden in "--rate 0.3" "--block 9" "--columns 3,4"; do
    # shellcheck disable=SC2086
    expect 0 impute plain $hidden --limit 30 --out i.ppm --json; picture i.ppm
    shows '"methods":\[\{"method":"mean","mse":[0-9.e-]+,.*"method":"pca".*"method":"model"'
done
expect 1 impute plain --mask none.npy --limit 30; grep -q none.npy err || complain "missing mask"
expect 2 impute plain --columns 28 --limit 30; grep -q -- '--columns is 28' err || complain columns
expect 0 impute plain --limit 30 --out i.csv; [ "$(wc -l <i.csv)" = 30 ] || complain i.csv

# --- Tables --------------------------------------------------------------------------------------------
# Weight follows from height, colour from weight; every hundredth row is odd; some cells are missing.
awk 'BEGIN { srand(1); print "height,weight,colour,note,class"
    for (i = 0; i < 1200; i++) {
        h = 150 + 50 * rand(); w = h - 100 + 4 * rand(); odd = i % 100 == 99; if (odd) w += w > 75 ? -40 : 40
        c = w > 75 ? "red" : w > 60 ? "green" : "blue"; n = rand()
        print (n < 0.1 ? "NA" : h) "," (n > 0.9 ? "" : w) "," (n > 0.4 && n < 0.5 ? "?" : c) \
            ",\"row, " i "\"," (odd ? "odd" : "plain") } }' >people.csv
people="csv:people.csv,label=class,drop=note"
expect 0 train denoising --data "$people" --exclude odd --set latent=4 --set hidden=32 --set noise=mask \
    --set level=0.2 --set loss=mse --batch 32 --epochs 60 --out people --json
[ -s people/table.json ] || complain "table.json"
grep -q 'missing</td><td>decoded' people/report.html || complain "the report shows no table"
expect 0 anomaly people --picture a.ppm --out a.csv --json; picture a.ppm
shows '"roc_auc":(1|0\.[89])'
[ "$(head -1 a.csv)" = row,label,score,flagged,anomalous,worst_column ] || complain "head of a.csv"
[ "$(sed -n 2,3p a.csv | cut -d, -f1,2 | tr '\n' ' ')" = "10,plain 20,plain " ] || complain "row numbers in a.csv"
expect 0 impute people --out i.csv --picture i.ppm --json; picture i.ppm
for what in mean model; do grep -o "\"$what\":[0-9.e-]*" out | head -2 | cut -d: -f2 >$what.txt; done
paste mean.txt model.txt | awk '!($2 < 0.8 * $1) { exit 1 }' || complain "impute is not better than the mean"
[ "$(wc -l <i.csv)" = 1201 ] || complain "rows of i.csv"
grep -q 'NA\|,,\|?' i.csv && complain "i.csv has missing cells"
[ "$(grep -v 'NA\|,,\|?' people.csv)" = "$(grep -Fxf people.csv i.csv)" ] || complain "whole rows changed"
cut -d, -f1-3 people.csv | head -11 >few.csv
expect 0 anomaly people --data csv:few.csv --picture a.ppm --out a.csv
[ "$(wc -l <a.csv)" = 11 ] || complain "all rows of another table"
expect 0 impute people --data csv:few.csv --columns weight --picture i.ppm --out i.csv
[ "$(wc -l <i.csv)" = 11 ] || complain "all rows of another table are filled"
expect 0 embed people --data csv:few.csv --out c.csv --picture e.ppm
[ "$(wc -l <c.csv)" = 11 ] || complain "all rows of another table have codes"
sed 1s/weight/mass/ few.csv >other.csv
expect 1 anomaly people --data csv:other.csv
says 'other.csv: has no column "weight", which the table that was trained on has'
expect 2 impute people --columns size
says "impute: \"size\" of --columns is no column of $(realpath people.csv)"
expect 2 impute people --block 3; says 'impute: cells of a table are hidden by --rate or --columns'

# --- Ratings -------------------------------------------------------------------------------------------
# Users and items have a place on a line each; the nearer, the better the rating.
awk 'BEGIN { srand(2); for (u = 1; u <= 150; u++) { p = rand()
    for (i = 1; i <= 40; i++) { q = i / 40; d = p > q ? p - q : q - p
        if (rand() < 0.5) printf "%d::item %d::%.1f::9\n", u, i, 5 - 4 * d } } }' >r.dat
expect 0 train undercomplete --data ratings:r.dat --set loss=mse --set latent=6 --set code=identity \
    --epochs 60 --batch 16 --lr 3e-3 --out ratings --quiet
grep -q 'mean of the user' ratings/report.html || complain "the report shows no ratings"
expect 0 recommend ratings --user 7 -n 3 --out r.csv --json
shows '"ratings":[0-9]+,"items":\[(\{"item":"item [0-9]+","rating":[0-9.]+\},?){3}\],"out":"r.csv"'
grep -o 'rmse":[0-9.]*' out | cut -d: -f2 | paste -s | awk '!($1 < 0.7 * $2 && $1 < 0.7 * $3) { exit 1 }' \
    || complain "no better than means"
[ "$(wc -l <r.csv)" = 4 ] || complain "recommendations for a user"
expect 0 recommend ratings -n 2 --out r.csv; [ "$(wc -l <r.csv)" = 301 ] || complain "for all users"
expect 0 eval ratings --json; shows '"reconstruction_mse":0\.0'
expect 2 recommend ratings --user nobody; says "recommend: there is no user nobody in ratings:$(realpath r.dat)"
expect 2 recommend people; says "csv:$(realpath people.csv),label=class,drop=note has no ratings; ratings:FILE has"
expect 2 impute ratings; says 'impute: ratings that are missing are what tenrec recommend tells'

# --- What there is -------------------------------------------------------------------------------------
expect 0 datasets --show shapes --out s.ppm -n 4; picture s.ppm; shows '^classes +3'
expect 0 datasets --show "$people"; shows '^height +number +[0-9.]+ % +1[0-9.]+ +1[0-9.]+ +[12][0-9.]+$'
shows '^colour +category +[0-9.]+ %  blue, green, red$'; shows '^note +left out'
expect 0 datasets --show "$people" --json; shows '^\{"name":"class","kind":"label","missing":0,"categories":2\}$'
expect 0 datasets --show ratings:r.dat; shows '^items +40 $'
expect 2 datasets --show nothing; grep -q 'there is no kind "nothing"' err || complain "an unknown dataset"

# --- Codes as data -------------------------------------------------------------------------------------
expect 0 embed plane --limit 200 --out c.npy --picture e.ppm --json; picture e.ppm
shows '"codes":200,"numbers":2,"plane_share":1'
expect 0 embed plain --limit 20 --out c.csv --picture e.ppm
[ "$(head -1 c.csv)" = label,z0,z1,z2,z3,z4,z5,z6,z7 ] || complain "head of c.csv"
[ "$(wc -l <c.csv)" = 21 ] || complain c.csv
expect 0 embed plain --limit 90 --map tsne --perplexity 8 --iterations 20 --out c.npy --picture e.ppm
picture e.ppm; shows '^kl +[0-9.]+ nats'
expect 1 embed plain --limit 20 --map tsne --out c.npy --picture e.ppm
says 'tsne: perplexity is 30; of 20 points it must be in [1, 19)'
expect 2 embed plain --map globe; says 'embed: --map is globe; it must be plane or tsne'
expect 0 probe plain --limit 300 --test-limit 100 --out p.ppm --json; picture p.ppm
shows '"classifier":"code linear","labels_100":0\.[0-9]+,"labels_300":0\.'

# --- Noise ---------------------------------------------------------------------------------------------
# shellcheck disable=SC2086
expect 0 train denoising $small --set hidden=16 --out clean
expect 0 denoise clean --levels 0.1,1.5 --limit 50 -n 3 --out d.ppm --curve e.ppm --json
picture d.ppm; picture e.ppm
row='\{"noise":"[a-z-]+","level":[0-9.]+,"psnr_noisy":([0-9.]+|null),"psnr":([0-9.]+|null)\},?'
shows '"level":0.5,"psnr_noisy":[0-9.]+,"psnr":[0-9.]+,"levels":\[('"$row"'){9}\]'
grep -o '"noise":"[a-z]*","level":1.5,"psnr_noisy":null' out | grep -q mask || complain "a probability of 1.5"
expect 0 denoise plain --noise salt-pepper --level 0.2 --limit 50 --out d.ppm; shows '^level +0.2'
expect 2 denoise plain --noise mask --level 2
says 'denoise: --level is 2; of mask noise it must be a probability, at most 1'
expect 2 denoise plain --noise rain
says 'denoise: --noise is rain; it must be gaussian, mask or salt-pepper'
expect 2 denoise clean --levels 0.1,much; grep -q -- '--levels is 0.1,much' err || complain levels

# --- Likelihood ----------------------------------------------------------------------------------------
expect 0 eval vae --limit 60 --nll 20 --json; shows '"nll":[0-9.]+\}$'
expect 1 eval plain --limit 60 --nll 20; grep -q 'gives pictures no likelihood' err || complain nll

# --- Jacobian and factors ------------------------------------------------------------------------------
expect 0 eval plain --limit 20 --jacobian 10 --json; shows '"jacobian_norm":[0-9.]+\}$'
expect 1 eval plain --limit 20 --factors
says 'digits: the factors of its images are not known; those of shapes are'
# shellcheck disable=SC2086
expect 0 train vae $small --data shapes --set hidden=32 --set latent=5 --out shapes
expect 0 eval shapes --limit 200 --factors --json
shows '"mig":[0-9.e-]+,"disentanglement":[0-9.e-]+,"completeness":[0-9.e-]+,"informativeness":[0-9.e-]+\}$'

# --- Bits ----------------------------------------------------------------------------------------------
expect 0 compress plain --limit 50 --bits 3 --out r.ppm --csv r.csv --json; picture r.ppm
shows '"rates":\[\{"coder":"code 2\^-1","bits":[0-9.]+,"bits_per_pixel":'
[ "$(wc -l <r.csv)" = 7 ] || complain r.csv

# --- Side by side --------------------------------------------------------------------------------------
expect 0 compare vae plane/ plain --limit 50 --probe 200 --out c.html --markdown c.md --title "<Three>" --json
shows '^\{"event":"compare","run":"plane","model":"vae","options":"latent=2 hidden=32",.*"mse":[0-9.]+,"bce":[0-9.]+,"psnr":[0-9.]+,"accuracy":0\.[0-9]+,"val":\{"loss":[0-9.]+,"reconstruction":[0-9.]+,"kl":[0-9.]+\}\}$'
[ "$(grep -c '"event":"compare"' out)" = 3 ] || complain "not a line for each run"
[ "$(head -1 c.md)" = "# <Three>" ] || complain "title of c.md"
grep -Eq '^\| plain \| latent=8 \| 13,336 \| 8 \| 0\.[0-9]+ \| 0\.[0-9]+ \| [0-9.]+ \|  \| [0-9.]+ % \| [0-9.]+ s \| !\[plain\]\(c/plain\.p[np][gm]\) \|$' c.md ||
    complain "the row of plain in c.md: $(grep plain c.md)"
ls c/plain.p?? c/vae.p?? c/plane.p?? >out 2>err || complain "pictures beside c.md"
grep -q '&lt;Three&gt;' c.html || complain "the title of c.html is not escaped"
[ "$(grep -c '<figure class="card" id="run-' c.html)" = 3 ] || complain "not a card for each run"
grep -q 'Validation loss' c.html && complain "a chart of losses of different kinds"
expect 0 compare vae plane --limit 50 --quiet --out c.html
grep -q '<h2>Validation loss' c.html || complain "no chart of losses of one kind"
expect 1 compare vae none; says 'none: is no run directory: it has no config.json'
expect 2 compare vae --markdown c.txt; says 'compare: --markdown is c.txt; it must end in .md'
expect 1 compare vae --limit 50 --out nowhere/c.html; grep -q nowhere/c.html err || complain "unwritable page"

# --- Weights for others --------------------------------------------------------------------------------
expect 0 export plain --out m.py --json
[ -s m.py ] && [ -s m.safetensors ] || complain "export"
shows '^\{"event":"export","parameters":13336,"out":"m.py"\}$'
expect 0 export vae --to npz --out v.npz; head -c 2 v.npz | grep -q PK || complain v.npz
expect 2 export vae --to keras; says 'export: --to is keras; it must be torch or npz'

[ $failures = 0 ] && echo "all passed"
exit $((failures > 0))
