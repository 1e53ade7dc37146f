"""Trains a model on a device's recordings and publishes it for that device alone:

python train_and_publish.py press-1 recordings/ [knn]
"""

import asyncio
import sys

import tocsin


def main(device_id: str, recordings: str, recipe: str = "knn") -> None:
    model = tocsin.train_model(recipe, recordings, out=f"trained-{device_id}")
    assignment = asyncio.run(tocsin.publish_model(model, scope=f"device:{device_id}", note="from an example"))
    print(f"{model} scores {device_id} from revision {assignment.revision} on")


if __name__ == "__main__":
    main(*sys.argv[1:])
