"""What the labels of data sets mean, in sentences: which limb moves, how, in which posture and rhythm.

A text model knows little of bodies: "a person doing wave" is near water. Descriptions say what a sensor, a pose or a
camera could confirm.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

TEMPLATES: tuple[str, ...] = (
    "{}", "a person doing {}", "somebody performs the activity {}", "a recording of a person doing {}",
    "the movement is {}",
)  # fmt: skip
"""Prompts for a label in words."""

NULL_SENTENCES: tuple[str, ...] = (
    "somebody stands around and does nothing in particular", "a person rests between two exercises",
    "idle time, small unplanned movements", "walking over to the next station", "somebody drinks and wipes the face",
    "a person waits and shifts the weight from foot to foot", "no activity",
    "somebody prepares, picks up the equipment",
)  # fmt: skip
"""Of spans without a label."""

GYM_SENTENCES = 40
"""Of each movement of the simulated gym, made by its own grammar."""

_UTD = {
    "swipe left": ("the right arm sweeps sideways from the right to the left at chest height",
                   "one swipe of the right hand across the body towards the left, then back down"),
    "swipe right": ("the right arm sweeps sideways from the left to the right at chest height",
                    "one swipe of the right hand outwards to the right, then back down"),
    "wave": ("the raised right hand goes from side to side several times as a greeting",
             "a standing person waves with the right forearm upright"),
    "clap": ("both hands meet in front of the chest several times", "a standing person claps the hands in front"),
    "throw": ("the right arm swings overhead from behind and throws something forwards",
              "one overarm throw with the right hand while standing"),
    "arm cross": ("both arms are crossed in front of the chest and opened again",
                  "a standing person folds the arms over the chest"),
    "basketball shoot": ("both hands rise from the chest to above the head and push a ball up and forwards",
                         "a jump shot without a ball, both arms stretch upwards"),
    "draw x": ("the right hand draws two crossing diagonal strokes in the air",
               "the right arm draws a large x in front of the body"),
    "draw circle clockwise": ("the right hand draws one large circle in the air, clockwise",
                              "the right arm circles clockwise in front of the body"),
    "draw circle counter clockwise": ("the right hand draws one large circle in the air, counter-clockwise",
                                      "the right arm circles against the clock in front of the body"),
    "draw triangle": ("the right hand draws three straight strokes in the air that form a triangle",
                      "the right arm draws a large triangle in front of the body"),
    "bowling": ("the right arm swings down past the hip and forwards, the knee bends, as with a bowling ball",
                "an underarm swing of the right hand from behind the body, leaning forwards"),
    "boxing": ("both fists punch forwards in turn at the height of the face", "quick alternating straight punches"),
    "baseball swing": ("both hands swing a bat from the right shoulder around the body, the trunk turns",
                       "one two-handed swing sideways with a turn of the hips"),
    "tennis swing": ("the right arm swings forwards from the side as in a tennis forehand",
                     "one forehand stroke of the right hand at hip height with a turn of the trunk"),
    "arm curl": ("both forearms bend up to the shoulders and go down again, the elbows stay at the side",
                 "a biceps curl of both arms while standing"),
    "tennis serve": ("the left hand tosses a ball, the right arm strikes overhead from behind",
                     "an overhead stroke of the right hand as in a tennis serve"),
    "push": ("both hands push forwards from the chest until the arms are straight", "one push with both arms"),
    "knock": ("the right hand knocks several times on a door in front at shoulder height",
              "short repeated knocks of the right fist"),
    "catch": ("the right hand reaches out and catches an object, the arm draws back",
              "one catch with an outstretched right arm"),
    "pick up and throw": ("a person bends down, picks something up with the right hand, stands up and throws it",
                          "bending to the floor, rising, and an overarm throw"),
    "jog": ("a person jogs on the spot, knees and arms go up and down quickly", "jogging in place"),
    "walk": ("a person walks on the spot, steps in a calm rhythm", "walking in place, the knees lift in turn"),
    "sit to stand": ("a seated person rises from a chair to standing", "standing up, the trunk leans forwards"),
    "stand to sit": ("a standing person sits down on a chair", "sitting down, the hips go back and the knees bend"),
    "lunge": ("one leg steps far forwards and both knees bend, the left foot in front", "a forward lunge and back up"),
    "squat": ("both knees bend and the hips sink while the arms stretch forwards, then up again", "a deep squat"),
}  # fmt: skip
_MOTIONSENSE = {
    "downstairs": ("a person walks down a flight of stairs, each step lands hard", "walking downstairs",
                   "descending steps one after the other with a phone in the trouser pocket"),
    "upstairs": ("a person climbs a flight of stairs, the thigh lifts high with each step", "walking upstairs",
                 "ascending steps one after the other with a phone in the trouser pocket"),
    "walking": ("a person walks on level ground at a steady pace", "an even walk, about two steps a second"),
    "jogging": ("a person jogs, strong impacts nearly three times a second", "running at an easy pace"),
    "sitting": ("a person sits still on a chair, the thigh is level", "sitting quietly, no steps"),
    "standing": ("a person stands still, the thigh is upright", "standing quietly, no steps"),
}  # fmt: skip
_BASIC_MOTIONS = {
    "standing": ("a person stands still, the arm hangs", "standing quietly"),
    "walking": ("a person walks, the arm swings in the rhythm of the steps", "an even walk"),
    "running": ("a person runs, the bent arm swings fast and strongly", "running at a steady pace"),
    "badminton": ("a person plays badminton, sudden strokes of the racket arm", "swinging a badminton racket"),
}  # fmt: skip

SENTENCES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "utd_mhad": _UTD, "motionsense": _MOTIONSENSE, "basic_motions": _BASIC_MOTIONS,
}  # fmt: skip
"""Data set -> label -> descriptions."""


def sentences(dataset: str, label: str) -> tuple[str, ...]:
    """Sentences for a label: the templates with its name, then descriptions where there are any.

    Of a data set that is not known the templates alone; of a known one an unknown label is a ``ValueError``.
    """
    if not label:
        return NULL_SENTENCES
    if dataset == "gym":
        from kinjo.datasets.gym.words import paraphrases

        return tuple(paraphrases(label, GYM_SENTENCES, np.random.default_rng(0)))
    known = SENTENCES.get(dataset)
    if known is not None and label not in known:
        raise ValueError(f"no words for '{label}' of {dataset}; there are: {', '.join(known)}")
    return tuple(t.format(label) for t in TEMPLATES) + (known[label] if known else ())
