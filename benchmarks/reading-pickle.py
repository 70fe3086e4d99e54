# Writes an IEMOCAP file in the layout of SDT with synthetic values and the real shape, and times pickle.load on it.
#   python reading-pickle.py write FILE [TIMES]     TIMES (1) x 151 dialogues, 7,433 utterances, 1024 x 4 + 1582 + 342 float32 values each
#   python reading-pickle.py serve FILE             per line on stdin: loads the file once, prints seconds
import gc
import pickle
import sys
import time

import numpy as np


def write(path, times=1):
    random = np.random.default_rng(0)
    lengths = [49] * 151
    for at in range(7433 - sum(lengths)):
        lengths[at] += 1
    lengths *= int(times)
    ids = ["Ses%02d%s_impro%02d" % (at % 5 + 1, "FM"[at % 2], at) for at in range(len(lengths))]
    vectors = lambda width: {
        vid: [random.standard_normal(width).astype("float32") for _ in range(n)] for vid, n in zip(ids, lengths)
    }
    data = (
        {vid: ["%s_%03d" % (vid, at) for at in range(n)] for vid, n in zip(ids, lengths)},
        {vid: ["MF"[at % 2] for at in range(n)] for vid, n in zip(ids, lengths)},
        {vid: [int(random.integers(6)) for _ in range(n)] for vid, n in zip(ids, lengths)},
        *(vectors(1024) for _ in range(4)),
        vectors(1582),
        vectors(342),
        {vid: ["A sentence of some length, number %d." % at for at in range(n)] for vid, n in zip(ids, lengths)},
        ids[: len(ids) * 4 // 5],
        ids[len(ids) * 4 // 5 :],
    )
    with open(path, "wb") as file:
        pickle.dump(data, file, protocol=4)


def serve(path):
    for _ in sys.stdin:
        start = time.perf_counter()
        with open(path, "rb") as file:
            data = pickle.load(file, encoding="latin1")
        print(time.perf_counter() - start, flush=True)
        del data
        gc.collect()


{"write": write, "serve": serve}[sys.argv[1]](*sys.argv[2:])
