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
_MHEALTH = {
    "standing still": ("a person stands upright and does not move, trunk and legs are vertical",
                       "quiet standing, the arms hang at the sides"),
    "sitting and relaxing": ("a person sits and rests, the arms lie still and the feet stay on the floor",
                             "quiet sitting, hardly any limb moves"),
    "lying down": ("a person lies still, trunk and legs are level", "resting flat, no limb moves"),
    "walking": ("the legs step in turn at a steady pace and the arms swing with them",
                "an even walk on level ground, the left foot lands about once a second"),
    "climbing stairs": ("the knees lift in turn to the next step and the body rises with each",
                        "walking up a flight of stairs, slower than on level ground"),
    "waist bends forward": ("the trunk bends forwards at the hips and comes up again, over and over, the legs stay",
                            "a standing person bows deeply towards the feet and straightens, many times"),
    "frontal elevation of arms": ("both straight arms rise in front of the body and sink again, over and over",
                                  "a standing person lifts the arms forwards and up, trunk and legs stay still"),
    "knees bending": ("both knees bend to a crouch and stretch again, the trunk stays upright, over and over",
                      "repeated squats, the hips sink and rise while the feet stay on the floor"),
    "cycling": ("both feet go round on pedals in a steady rhythm, the hands rest on the handlebar",
                "pedalling on a bicycle, the ankles circle while trunk and arms stay calm"),
    "jogging": ("a person runs at an easy pace with bent arms, each foot lands with a soft thud",
                "slow running, the arms swing in the rhythm of the steps"),
    "running": ("a person runs fast, the bent arms swing strongly and each foot lands hard",
                "quick running with long strides and strong impacts"),
    "jump front and back": ("both feet leave the floor together, forwards and then backwards, over and over",
                            "repeated two-footed jumps to the front and to the back, each landing is a jolt"),
}  # fmt: skip
_MYOGYM = {
    "seated cable rows": ("a seated person pulls a handle to the belly with both hands, the elbows pass the trunk",
                          "both arms stretch forwards and draw back level again, the trunk stays upright"),
    "one-arm dumbbell row": ("bent over a bench, one hand pulls a dumbbell from below up to the hip",
                             "the arm hangs down and the elbow rises behind the level back, the other hand props"),
    "wide-grip pulldown behind the neck": ("a seated person pulls a wide bar from above down behind the head",
                                           "raised arms bend, the elbows go down at the sides, the bar ends at "
                                           "the nape"),
    "bent over barbell row": ("with the trunk bent forwards, both hands pull a bar from below up to the belly",
                              "hanging arms bend, palms backwards, and the elbows rise behind the level back"),
    "reverse grip bent-over row": ("with the trunk bent forwards, both hands pull a bar up, the palms face forwards",
                                   "hanging arms with an underhand grip bend, the elbows rise close to the sides"),
    "wide-grip front pulldown": ("a seated person pulls a wide bar from above down to the upper chest",
                                 "raised arms bend, the elbows go down at the sides, the bar ends below the chin"),
    "bench press": ("lying on the back, both arms push a bar from the chest straight up and let it down",
                    "the forearms stay upright while the elbows stretch and bend, hands wider than the shoulders"),
    "incline dumbbell flyes": ("leaning back on a sloped bench, nearly straight arms open to the sides and close above",
                               "two dumbbells go in wide arcs from over the upper chest outwards and back"),
    "incline dumbbell press": ("leaning back on a sloped bench, both arms push dumbbells up from the shoulders",
                               "the elbows stretch until the dumbbells meet above the face and bend again"),
    "dumbbell flyes": ("lying flat on the back, nearly straight arms open to the sides and close above the chest",
                       "two dumbbells go in wide arcs from over the chest outwards and back, the elbows hardly bend"),
    "pushups": ("face down on hands and toes, both arms bend and push the stiff body up again",
                "the hands stay on the floor while the chest goes down to it and up"),
    "leverage chest press": ("a seated person pushes the two grips of a machine forwards and lets them come back",
                             "both arms stretch level in front of the chest on fixed paths and bend again"),
    "close-grip barbell bench press": ("lying on the back, both arms push a bar up, the hands close together",
                                       "the elbows brush along the sides as the bar goes from the chest up and down"),
    "bar skullcrusher": ("lying on the back, the upper arms stay upright and the forearms lower a bar to the forehead",
                         "only the elbows bend and stretch, the bar swings from over the chest to the head"),
    "triceps pushdown": ("standing at a cable, the elbows stay at the sides and the forearms push the bar down",
                         "bent elbows stretch until the hands are at the thighs, then the bar rises to the chest"),
    "bench dip": ("with the hands on a bench behind the back, the arms bend and push the body up again",
                  "the hips sink in front of the bench and rise, the elbows point backwards"),
    "overhead triceps extension": ("the upper arms point up beside the head, the forearms stretch up from behind it",
                                   "a weight goes from behind the neck to above the head, only the elbows move"),
    "tricep dumbbell kickback": ("bent forwards with the upper arm along the trunk, the forearm stretches backwards",
                                 "the elbow stays beside the ribs and a dumbbell swings from below to behind the hip"),
    "spider curl": ("face down on a sloped bench, the arms hang and the forearms curl a weight up to the shoulders",
                    "the upper arms stay upright in front of the bench while the elbows bend and stretch"),
    "dumbbell alternate bicep curl": ("a standing person curls one dumbbell to the shoulder, then the other",
                                      "the forearm bends up with a turn of the palm, then rests while the other works"),
    "incline hammer curl": ("leaning back on a sloped bench, the forearms curl dumbbells up with the thumbs on top",
                            "arms that hang behind the trunk bend at the elbows, the palms face each other"),
    "concentration curl": ("a seated person with the elbow against the inner thigh curls a dumbbell to the shoulder",
                           "leaning forwards, one forearm bends up slowly from between the knees"),
    "cable curl": ("standing at a low cable, both forearms curl a bar up to the chest, the elbows stay at the sides",
                   "the palms face up while the elbows bend and stretch against a steady pull from below"),
    "hammer curl": ("a standing person curls dumbbells up with the thumbs on top, the elbows stay at the sides",
                    "the forearms rise and sink without turning, the palms face each other"),
    "upright barbell row": ("a standing person draws a bar from the thighs along the body up to the chin",
                            "the elbows lead upwards and outwards, higher than the hands, then the arms hang again"),
    "side lateral raise": ("a standing person lifts nearly straight arms sideways to shoulder height and lowers them",
                           "two dumbbells go from the thighs out to the sides, the palms face down"),
    "front dumbbell raise": ("a standing person lifts a straight arm forwards to shoulder height and lowers it",
                             "a dumbbell goes from the thigh up in front of the body, the elbow hardly bends"),
    "seated dumbbell shoulder press": ("a seated person pushes dumbbells from the shoulders straight up overhead",
                                       "bent arms stretch upwards beside the head and come down to the ears"),
    "car drivers": ("straight arms hold a plate in front of the chest and turn it like a steering wheel",
                    "the forearms roll to the left and to the right at shoulder height, the elbows stay stretched"),
    "lying rear delt raise": ("face down on a bench, nearly straight arms rise sideways from below to shoulder height",
                              "hanging arms open like wings behind a prone trunk and sink again"),
}  # fmt: skip
_MMACT = {
    "carrying": ("a person walks with an object held before the body, the arms stay bent and do not swing",
                 "steps with both hands full"),
    "checking time": ("a standing person lifts the forearm, turns the wrist to the face and looks at the watch",
                      "one arm bends up to chest height, rests a moment and sinks"),
    "closing": ("one hand takes a door and moves it shut, the arm goes across the body or forwards",
                "a person pushes or pulls a door until it is closed"),
    "crouching": ("both knees bend deeply, the body sinks close to the floor and stays small",
                  "a standing person squats down, the trunk leans forwards"),
    "drinking": ("one hand lifts a cup to the mouth, the head tips back, the hand goes down again",
                 "a person drinks, the elbow bends fully and the wrist tilts"),
    "entering": ("a person comes in through a door, one hand opens it while the legs step on",
                 "walking into a room past a door"),
    "exiting": ("a person goes out through a door, one hand opens it while the legs step on",
                "walking out of a room past a door"),
    "fall": ("an upright person drops to the floor, a sudden jolt and then a lying body",
             "the body goes down all at once, the arms reach out, nothing moves afterwards"),
    "jumping": ("both knees bend and stretch, both feet leave the floor and land with a jolt",
                "a standing person jumps up, the arms swing along"),
    "kicking": ("one leg swings forwards quickly while the other one stands",
                "a kick, one foot shoots out and comes back"),
    "loitering": ("a person strolls up and down slowly with turns and stops",
                  "aimless steps here and there, without haste"),
    "looking around": ("a standing person turns head and shoulders to one side and then to the other",
                       "the head looks about while the feet stay"),
    "opening": ("one hand takes the handle of a door and draws or pushes it open",
                "an arm reaches forwards, grips and swings a door"),
    "picking up": ("a person bends down, one hand reaches to the floor, takes an object and the trunk rises",
                   "bending at hips and knees and coming up with something in the hand"),
    "pocket in": ("one hand puts an object into the trouser pocket at the hip",
                  "the forearm goes down along the thigh, the hand slides into a pocket and comes out empty"),
    "pocket out": ("one hand takes an object out of the trouser pocket at the hip",
                   "the hand slides into a pocket and the forearm comes up with something"),
    "pointing": ("one arm stretches out towards something, is held still and sinks",
                 "a standing person points with a straight arm"),
    "pulling": ("both hands grip an object and draw it along, the trunk leans away from it",
                "steps backwards or forwards with tensed arms and something heavy behind them"),
    "pushing": ("both hands press against an object and move it forwards, the trunk leans into it",
                "steps forwards with arms that push a load"),
    "running": ("a person runs, the bent arms swing fast and each foot lands hard",
                "quick strides with strong impacts"),
    "setting down": ("a person bends forwards and both hands put an object down, the trunk rises with empty hands",
                     "arms that carried go down to a table or the floor and come back light"),
    "sitting": ("a person stays seated on a chair and hardly moves", "quiet sitting, the thighs are level"),
    "sitting down": ("a standing person lowers the hips onto a chair, the trunk leans forwards and comes up",
                     "the knees bend until the thighs are level, then rest"),
    "standing": ("a person stays upright in one place and hardly moves", "quiet standing, the arms hang"),
    "standing up": ("a seated person leans forwards and stretches hips and knees to standing",
                    "rising from a chair, then rest"),
    "talking": ("a person stands and talks to somebody, the hands make small gestures",
                "conversation with little nods and movements of the forearms"),
    "talking on phone": ("one hand holds a phone to the ear with a bent elbow while the person talks",
                         "the arm stays up beside the head for a long time"),
    "throwing": ("one arm swings back and then quickly forwards, the hand lets an object go",
                 "a throw with a short strong swing of the arm"),
    "transferring object": ("one person hands an object over to another, the arm stretches forwards and comes back",
                            "two people meet, a hand gives something and draws back empty"),
    "using pc": ("a seated person types and moves a mouse, only fingers and forearms stir",
                 "work at a computer, the forearms rest on a table"),
    "using phone": ("a person holds a phone before the chest, looks down at it and taps with a finger",
                    "the forearm is bent and still, the thumb moves"),
    "walking": ("the legs step in turn at a steady pace and the arms swing with them", "an even walk"),
    "waving hand": ("a raised hand goes from side to side several times as a greeting",
                    "the forearm is upright and swings left and right"),
    "carrying heavy": ("a person walks with a heavy load in both arms, short slow steps, the trunk leans back",
                       "tensed arms before the body and a heavy tread"),
    "carrying light": ("a person walks with a light object in the hand, the steps are free and easy",
                       "an easy walk with something small, one arm swings less"),
}  # fmt: skip
_MM_FIT = {
    "squats": ("both knees bend and the hips sink low, then the legs stretch again, over and over",
               "a standing person goes down into a squat and up again, the trunk leans a little forwards"),
    "lunges": ("one leg steps far forwards and both knees bend, then the body rises; the legs take turns",
               "repeated long steps that sink until the rear knee is near the floor, the trunk stays upright"),
    "bicep curls": ("the forearms bend up to the shoulders with dumbbells and go down again, the elbows stay in place",
                    "a standing person lifts dumbbells by bending the elbows, the upper arms hang still"),
    "situps": ("lying on the back with bent knees, the trunk rises to sitting and rolls back down to the floor",
               "the upper body goes up and down from the floor again and again, the feet stay put"),
    "pushups": ("face down on hands and toes, the elbows bend until the chest is near the floor and stretch again",
                "the straight body goes up and down above the floor, the hands stay planted"),
    "tricep extensions": ("the elbows point up beside the head, the forearms stretch upwards with a weight from behind",
                          "a dumbbell goes from behind the head to above it, only the forearms move"),
    "dumbbell rows": ("bent forwards, the arm pulls a dumbbell from hanging up to the ribs, the elbow passes the trunk",
                      "the leaning trunk stays still while a weight is pulled up and lowered again"),
    "jumping jacks": ("jumps that spread the legs while both arms swing up sideways over the head, then close again",
                      "quick rhythmic hops, arms and legs open and close together"),
    "dumbbell shoulder press": ("both hands push dumbbells from the shoulders straight up and lower them again",
                                "an upright person presses weights overhead and brings them back beside the ears"),
    "lateral shoulder raises": ("both nearly straight arms rise sideways to shoulder height with dumbbells and sink",
                                "a standing person lifts the arms out to the sides like wings, slowly up and down"),
}  # fmt: skip

SENTENCES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "utd_mhad": _UTD, "motionsense": _MOTIONSENSE, "basic_motions": _BASIC_MOTIONS, "mhealth": _MHEALTH,
    "myogym": _MYOGYM, "mmact": _MMACT, "mm_fit": _MM_FIT,
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
