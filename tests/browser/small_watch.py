"""The command that plays a stream, with networks small enough for a test."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import call_log

from router.handover.learner import LearnerConfig
from router.handover.watch import main

if __name__ == "__main__":
    training = replace(call_log.SMALL, members=1, epochs=4, least_steps=60)
    sys.exit(main(learner=LearnerConfig(training, folds=(2, 2))))
