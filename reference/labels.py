"""Writes models/imagenet1k-labels.json: a plain English name for each of the 1000 ImageNet classes, in order.

The names are WordNet's first lemmas, as timm (Apache-2.0) ships them; WordNet is free to use with its notice.
"""

import json
from pathlib import Path

from timm.data import ImageNetInfo

info = ImageNetInfo()
labels = [info.index_to_description(index).split(",")[0].strip() for index in range(1000)]
assert len(labels) == 1000 and all(labels)
out = Path(__file__).resolve().parent.parent / "models/imagenet1k-labels.json"
out.write_text("[\n" + ",\n".join(json.dumps(label, ensure_ascii=False) for label in labels) + "\n]\n")
print(out.name, out.stat().st_size, "bytes")
