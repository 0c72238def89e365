"""onnxruntime on one CPU thread as a contestant: `python onnxruntime_cpu.py CASES`; the protocol of src/main.rs."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

folder = Path(sys.argv[1])
for line in sys.stdin:
    request = json.loads(line)
    if case := request.get("open"):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = onnxruntime.InferenceSession(
            folder / f"{case['name']}.onnx", options, providers=["CPUExecutionProvider"]
        )
        x = np.fromfile(folder / f"{case['name']}.input.f32", dtype=np.float32).reshape(case["shape"])
        answer = session.run(None, {"input": x})[0].ravel().tolist()
    else:
        start = time.perf_counter()
        for _ in range(request["run"]["times"]):
            session.run(None, {"input": x})
        answer = time.perf_counter() - start
    print(json.dumps(answer), flush=True)
