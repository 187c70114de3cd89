#!/usr/bin/env bash
# Kaggle's Histopathologic Cancer Detection: train, then write submission.csv for the tiles without labels.
# Usage: kaggle.sh [DATA] [WORK]
#   DATA  folder with train_labels.csv, and train and test as folders or zip files, which are not unpacked;
#         without it, synthetic tiles are made in the same layout
#   WORK  folder for the run and the submission (default: kaggle-example)
set -euo pipefail
examples=$(cd "$(dirname "$0")" && pwd)
work=${2:-kaggle-example}
mkdir -p "$work"
data=${1:+$(cd "$1" && pwd)}
cd "$work"
if [ -z "$data" ]; then
    data=data
    [ -d data ] || python "$examples/phantom_layouts.py" kaggle data
fi
histo data describe "$data"
grep -qs '"state": "done"' runs/kaggle/run.json || histo train "$data" --name kaggle --arch efficientnet --recipe fast
# The competition names no slides: tiles of one slide lie on both sides of the division, and histo says so.
histo evaluate kaggle --split valid
test="$data/test"
[ -e "$test" ] || test="$data/test.zip"
histo predict runs/kaggle "$test" --output predictions.csv --submission submission.csv --overwrite
echo "To submit: $(pwd)/submission.csv"
