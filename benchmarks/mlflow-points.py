"""Python's MlflowClient in a loop: the other side of mlflow-points.ts, which starts it and talks by lines of JSON.

Each line in is {"experiment": id, "points": n}; each line out {"seconds": s} for one run of n points in batches of
1000, the most that the server takes. Encoding included, creation of the run not.
"""

import json
import sys
import time

from mlflow import MlflowClient
from mlflow.entities import Metric

client = MlflowClient(sys.argv[1])
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    run_id = client.create_run(order["experiment"]).info.run_id
    started = time.perf_counter()
    for first in range(0, order["points"], 1000):
        steps = range(first, min(first + 1000, order["points"]))
        client.log_batch(run_id, [Metric("loss", 1 / (step + 1), 1000 + step, step) for step in steps])
    print(json.dumps({"seconds": time.perf_counter() - started, "run": run_id}), flush=True)
