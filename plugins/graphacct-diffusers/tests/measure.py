"""Measures diffusers' class of each configuration in `goldens/`: `python measure.py`, with torch and diffusers."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

import graphacct

GOLDENS = Path(__file__).parent / "goldens"


def main() -> None:
    """Writes into each file what its class measures; the keys `config` and `workload` are given."""
    for file in sorted(GOLDENS.glob("*.json")):
        given = json.loads(file.read_text(encoding="utf-8"))
        config, workload = given["config"], given["workload"]
        keys = {**config, "model_type": config["_class_name"]}
        found = attrs.asdict(graphacct.verify_class(keys, **workload).measured)
        found["modules"] = sorted(found["modules"])
        file.write_text(
            json.dumps({"config": config, "workload": workload, "measured": found}) + "\n", encoding="utf-8"
        )
        print(file.name)


if __name__ == "__main__":
    main()
