"""The PyTorch side of a row: takes commands by lines on stdin, answers each with one line of JSON on stdout.

    python worker.py FOLDER SETTINGS      commands: init, epoch-step I, evaluate I, predict I, load-weights FILE,
                                          report, quit
"""

import json
import sys
import time

import torch

from lmam import Lmam
from row_folder import RowFolder
from sdt import Sdt
from weights import load_safetensors


class Session:
    def __init__(self, folder, settings_file):
        self.row = RowFolder(folder, settings_file)
        settings = self.row.settings
        torch.set_num_threads(settings["threads"])
        torch.manual_seed(settings["seed"])
        self.model = create_model(settings)
        options = settings["optimizer"]["options"]
        self.optimizer = torch.optim.Adam(
            [parameter for parameter in self.model.parameters() if parameter.requires_grad],
            lr=options["lr"],
            betas=tuple(options["betas"]),
            eps=options["epsilon"],
            weight_decay=options["weightDecay"],
        )

    def init(self):
        parameters = sum(parameter.numel() for parameter in self.model.parameters())
        versions = {"torch": torch.__version__, "python": sys.version.split()[0]}
        return {"parameters": parameters, "versions": versions}

    def epoch_step(self, index):
        """Padding, forward, loss, backward and update of one batch."""
        started = time.perf_counter()
        batch = self.row.batch(int(index))
        padded = time.perf_counter()
        self.model.train()
        self.optimizer.zero_grad()
        terms = self.model.loss(batch)
        terms["total"].backward()
        self.optimizer.step()
        losses = {name: term.item() for name, term in terms.items()}
        ended = time.perf_counter()
        return {
            "ms": 1e3 * (ended - started),
            "phases": {"batch": 1e3 * (padded - started), "step": 1e3 * (ended - padded)},
            "losses": losses,
            **shape_of(batch),
        }

    def evaluate(self, index):
        """Padding and the fused probabilities of one batch, without gradients and dropout."""
        started = time.perf_counter()
        batch = self.row.batch(int(index))
        padded = time.perf_counter()
        self._probabilities(batch)
        ended = time.perf_counter()
        return {
            "ms": 1e3 * (ended - started),
            "phases": {"batch": 1e3 * (padded - started), "step": 1e3 * (ended - padded)},
            **shape_of(batch),
        }

    def predict(self, index):
        return {"probabilities": self._probabilities(self.row.batch(int(index))).flatten().tolist()}

    def _probabilities(self, batch):
        """[utterances, classes]"""
        self.model.eval()
        with torch.inference_mode():
            return self.model.probabilities(batch)[batch.mask > 0]

    def load_weights(self, path):
        self.model.load_state_dict(load_safetensors(path))
        return {}

    def report(self):
        return {"peakMiB": peak_mib()}


def create_model(settings):
    if settings["optimizer"]["name"] != "adam" or settings["optimizer"]["options"]["maxGradientNorm"] is not None:
        raise ValueError("the reference trains with Adam without clipping")
    parts = [settings[part]["name"] for part in ("encoder", "fusion", "objective")]
    if parts == ["sdt", "sdt", "self-distillation"]:
        return Sdt(settings)
    if parts == ["transformer", "lmam", "cross-entropy"]:
        return Lmam(settings)
    raise ValueError(f"the reference has no model of {', '.join(parts)}")


def shape_of(batch):
    return {"utterances": batch.utterances, "places": batch.mask.numel(), "shape": " x ".join(map(str, batch.mask.shape))}


def peak_mib():
    """Peak resident memory: Linux tells it in /proc, elsewhere getrusage does (bytes on macOS)."""
    try:
        with open("/proc/self/status", encoding="utf-8") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    import resource  # not there on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 1024)


def main():
    session = None
    for line in sys.stdin:
        command, *arguments = line.rstrip("\n").split(" ", 1)
        if command == "quit":
            return
        try:
            if command == "init":
                session = Session(*sys.argv[1:])
            answer = getattr(session, command.replace("-", "_"))(*arguments)
            answer["cpuMs"] = 1e3 * time.process_time()
        except Exception as error:  # the driver shows it, and stops
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
