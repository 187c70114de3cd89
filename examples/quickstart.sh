#!/usr/bin/env bash
# The whole pipeline on synthetic tiles: normalize, qc, train, evaluate, explain, report.
# Usage: quickstart.sh [FOLDER]     (default: demo; `histo` must be on the PATH)
set -euo pipefail
folder=${1:-demo}
mkdir -p "$folder"
cd "$folder"
# A second call continues where the first one stopped: nothing is made twice.
[ -f data/labels.csv ] || histo demo data --tiles 600
histo normalize data/train
histo qc data/train
# A run that has ended is kept; one that was stopped continues.
grep -qs '"state": "done"' runs/demo/run.json || histo train --name demo --epochs 8 --offline
histo evaluate demo
histo explain demo --tiles 100
histo report demo
echo "The report: $(pwd)/runs/demo/report.html"
