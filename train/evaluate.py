"""Measure a checkpoint on its task's test data: python -m train.evaluate mnist|asl"""

import argparse
from pathlib import Path

from train.commands import faults_in_words, json_line, run
from train.data.sign_mnist import FORMS
from train.data.splits import load_test
from train.fast.machine import plan
from train.hands.measure import confusion_table, read_folder, summary
from train.learn import checkpoint
from train.learn.fit import Measure, measure
from train.predict import reader_for
from train.task import TASKS, Task, UsageError, task_named


def evaluate(task: Task, file: Path, *, folder: Path | None = None, form: str | None = None) -> Measure:
    """Loss and right answers of a checkpoint on the task's test images. Raises UsageError."""
    model, metadata = checkpoint.load(file, task.name)
    if metadata.input_shape != task.input_shape:
        raise UsageError(f"{file} reads {metadata.input_shape} pictures, the test images are {task.input_shape}")
    return measure(model, load_test(task, folder=folder, form=form), task, plan("cpu", precision="float32"))


@faults_in_words()
def main(arguments: list[str] | None = None) -> int:
    """The command line; its last line is {"task", "split", "n", "correct", "accuracy", "loss"}."""
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description="Measure a checkpoint.")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--checkpoint", type=Path, help="default: the one in checkpoints/")
    parser.add_argument("--data", type=Path, help="the folder of the data, if not in the usual places")
    parser.add_argument("--labels", choices=FORMS, help="how Sign Language MNIST's labels are numbered")
    parser.add_argument("--photos", type=Path, help="asl: read this folder of photos, by letter or with YOLO boxes")
    options = parser.parse_args(arguments)
    task = task_named(options.task)
    file = options.checkpoint or checkpoint.default_path(task.name)
    if options.photos:
        if task.name != "asl":
            raise UsageError("--photos holds hand signs: it goes with asl")
        answered = read_folder(options.photos, reader_for(task.name, options.checkpoint))
        print(confusion_table(answered))
        print(json_line({"task": task.name, "split": str(options.photos), **summary(answered)}))
        return 0
    result = evaluate(task, file, folder=options.data, form=options.labels)
    about = {"task": task.name, "split": "test", "n": result.count, "correct": result.correct}
    print(json_line(about | {"accuracy": result.accuracy, "loss": result.loss}))
    return 0


if __name__ == "__main__":
    run(main)
