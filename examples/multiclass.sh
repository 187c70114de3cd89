#!/usr/bin/env bash
# More than two classes: tissue types from class folders, with stain normalization inside the model.
# Usage: multiclass.sh [DATA] [WORK]
#   DATA  folder with a folder for each class, or train/, valid/ and test/ with one for each;
#         without it, synthetic tiles of four tissues are made
#   WORK  folder for the run and its report (default: multiclass-example)
set -euo pipefail
work=${2:-multiclass-example}
mkdir -p "$work"
data=${1:+$(cd "$1" && pwd)}
cd "$work"
if [ -z "$data" ]; then
    data=data
    [ -f data/labels.csv ] || histo demo data --task multiclass
fi
histo data describe "$data"
grep -qs '"state": "done"' runs/tissues/run.json || histo train "$data" --name tissues --stain macenko --recipe fast
# Every class against the rest, and the macro average over them.
histo evaluate tissues
histo explain tissues --tiles 100
histo report tissues
echo "The report: $(pwd)/runs/tissues/report.html"
