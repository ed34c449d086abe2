#!/usr/bin/env bash
# accelerate launch --cpu --num_processes 2 starts one process, without a word.
#
# Versions: Python 3.11, accelerate 1.15.0, torch 2.14.1.
# Guess: two processes start, which know each other, as with torchrun --nproc-per-node 2; or the
#   launcher says that it cannot.
# Seen: one process starts. PartialState counts 1 process, and torch.distributed is not initialised.
#   The launcher lists the options that it filled in, but says nothing of the number of processes. A
#   training that should be shared is done by one process. Under torchrun, PartialState() joins both
#   processes, but counts 1 in each, so that both are the main process; PartialState(cpu=True)
#   counts 2.
# Way out: on CPUs, start with torchrun, pass cpu=True, and ask torch.distributed for the number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet accelerate==1.15.0 torch==2.14.1 numpy
cd "$folder"
export HF_HOME="$folder" CUDA_VISIBLE_DEVICES=""
cat > count.py <<'PY'
import sys
from importlib.metadata import version

import torch.distributed as dist
from accelerate import PartialState

state = PartialState(**({"cpu": True} if sys.argv[1] == "cpu" else {}))
if state.is_main_process:
    print("accelerate", version("accelerate"), "torch", version("torch"))
n = dist.get_world_size() if dist.is_initialized() else None
print(f"counted: {state.num_processes}, in the group: {n}", flush=True)
PY
venv/bin/accelerate launch --cpu --num_processes 2 --num_machines 1 --mixed_precision no \
    --dynamo_backend no count.py cpu > launched 2>&1
cat launched
test "$(grep -c '^counted: ' launched)" = 1
grep -q '^counted: 1, in the group: None' launched
if grep -qi 'warn' launched; then exit 1; fi
for device in any cpu; do
    venv/bin/torchrun --standalone --nproc-per-node 2 count.py $device > $device 2>/dev/null
    echo "torchrun, $device:"
    cat $device
done
test "$(grep -c '^counted: 1, in the group: 2' any)" = 2
test "$(grep -c '^counted: 2, in the group: 2' cpu)" = 2
echo "as stated"
