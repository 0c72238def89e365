"""Makes a bundled model: copies a safetensors file and adds class names, licence and origin to its metadata.

usage: bundle.py WEIGHTS.safetensors CLASSES.json OUT.safetensors
CLASSES.json: array of {"wnid", "name"} in the order of the logits.
"""

import json
import sys

from safetensors import safe_open
from safetensors.numpy import save_file

weights, classes, out = sys.argv[1:4]
with open(classes) as file:
    rows = json.load(file)
with safe_open(weights, "np") as file:
    metadata = dict(file.metadata())
    tensors = {name: file.get_tensor(name) for name in file.keys()}
if [row["wnid"] for row in rows] != json.loads(metadata["classes"]):
    sys.exit(f"{classes} and {weights} do not list the same classes")
metadata |= {
    "labels": json.dumps([row["name"] for row in rows]),
    "licence": "MIT OR Apache-2.0; trained on Tiny-ImageNet-200, images of ImageNet (non-commercial research and education)",
}
save_file(tensors, out, metadata=metadata)
print(f"{out}: {len(tensors)} tensors, {sum(t.size for t in tensors.values())} values")
