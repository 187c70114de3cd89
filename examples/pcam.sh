#!/usr/bin/env bash
# PatchCamelyon: from its HDF5 files to a report, with the slide as the group.
# Usage: pcam.sh [DATA] [WORK]
#   DATA  folder with camelyonpatch_level_2_split_*.h5 (`histo data fetch pcam` gets it: 8 GB);
#         without it, synthetic tiles are made in the same layout
#   WORK  folder for the run and its report (default: pcam-example)
set -euo pipefail
examples=$(cd "$(dirname "$0")" && pwd)
work=${2:-pcam-example}
mkdir -p "$work"
data=${1:+$(cd "$1" && pwd)}
cd "$work"
if [ -z "$data" ]; then
    data=data
    [ -d data ] || python "$examples/phantom_layouts.py" pcam data
fi
histo data describe "$data"
# A run that has ended is kept; one that was stopped continues.
grep -qs '"state": "done"' runs/pcam/run.json || histo train "$data" --name pcam --arch efficientnet --recipe fast
# The threshold that finds 95 % of the tumor tiles, and what a positive call is worth where 2 % are tumor.
histo evaluate pcam --at sensitivity=0.95 --prevalence 0.02
histo explain pcam --tiles 100
histo report pcam
echo "The report: $(pwd)/runs/pcam/report.html"
