"""What the gym's movements and faults are called, in American fitness English."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Words of one movement.

    ``names``: nouns, the label first; of a movement without repetitions, other words for the label. ``acts``: what is
    done, verbs first, in their base form, parted by ``" & "``. ``ways``: how, to put after either. ``muscles`` and
    ``region``: what it trains. ``side``: which limb a side stands for. ``verb``: what one does with the names, where it
    is not done in repetitions. ``paced``: it can be done slowly or fast.
    """

    names: tuple[str, ...]
    acts: tuple[str, ...]
    ways: tuple[str, ...] = ()
    muscles: tuple[str, ...] = ()
    region: str = ""
    side: str = "on the {} side"
    verb: str = ""
    paced: bool = True


LEGS, ARMS, CORE, ALL = "lower-body exercise", "upper-body exercise", "core exercise", "full-body exercise"
CARE, DAILY = "rehabilitation exercise", "everyday activity"
IN_TURN = ("switching sides each time", "alternating sides")

LABELS: dict[str, Words] = {
    "squat": Words(
        ("squat", "bodyweight squat", "air squat"),
        ("lower the hips & stand back up", "bend the hips and knees as if to sit down & rise again",
         "squat down & come back up"),
        ("with both feet on the floor", "reaching the arms forward"), ("quads", "glutes"), LEGS),
    "push-up": Words(
        ("push-up", "press-up", "floor push-up"),
        ("lower the chest toward the floor & push back up", "bend the arms in a plank & press the body up again",
         "go down on the hands and toes & push up"),
        ("on hands and toes", "facing the floor"), ("chest", "triceps", "shoulders"), ARMS),
    "shoulder press": Words(
        ("shoulder press", "overhead press", "dumbbell shoulder press"),
        ("press the weights overhead & lower them to the shoulders",
         "push both hands up from the shoulders & bring them back",
         "straighten the arms above the head & bend them again"),
        ("with both arms", "with a weight in each hand"), ("shoulders", "triceps"), ARMS),
    "lunge": Words(
        ("lunge", "forward lunge", "alternating lunge"),
        ("step forward into a lunge & push back to standing", "take a long step forward & bend both knees & step back",
         "drop the back knee toward the floor & return to standing"),
        (*IN_TURN, "one leg after the other"), ("quads", "glutes", "hamstrings"), LEGS),
    "dumbbell row": Words(
        ("dumbbell row", "bent-over row", "standing dumbbell row"),
        ("pull the weights to the ribs & lower them again", "lean forward & row the elbows back past the trunk",
         "draw both elbows up behind the back & let the arms down"),
        ("bent over at the hips", "with a weight in each hand"), ("lats", "upper back", "biceps"), ARMS),
    "sit-up": Words(
        ("sit-up", "bent-knee sit-up", "floor sit-up"),
        ("curl up from the floor & lie back down", "raise the trunk off the floor & roll back down",
         "come up toward the knees from lying & go back down"),
        ("with the knees bent", "on the floor"), ("abs", "hip flexors"), CORE),
    "triceps extension": Words(
        ("triceps extension", "overhead triceps extension", "dumbbell triceps extension"),
        ("bend the elbows behind the head & straighten them overhead",
         "lower a weight behind the head & lift it up again", "extend the elbows above the head & bend them again"),
        ("with both arms", "with the upper arms raised"), ("triceps",), ARMS),
    "biceps curl": Words(
        ("biceps curl", "bicep curl", "dumbbell curl", "arm curl"),
        ("bend the elbows & bring the weights to the shoulders", "curl the weights up & lower them again",
         "lift the forearms & let them down"),
        ("with a weight in each hand", "working from the elbows"), ("biceps",), ARMS),
    "lateral raise": Words(
        ("lateral raise", "side raise", "dumbbell lateral raise", "lateral shoulder raise"),
        ("raise the arms out to the sides & lower them again", "lift the weights sideways & let them down",
         "bring both arms up at the sides and back down"),
        ("from the shoulders", "with a weight in each hand"), ("shoulders", "side delts"), ARMS),
    "jumping jack": Words(
        ("jumping jack", "side-straddle hop"),
        ("jump the feet apart while swinging the arms up & jump back together",
         "hop into a wide stance with the arms going up & hop back", "jump out and in with arms and legs"),
        ("on the balls of the feet", "without a break"), ("calves", "shoulders"), ALL),
    "deadlift": Words(
        ("deadlift", "dumbbell deadlift"),
        ("hinge at the hips & stand up again", "lower the weights along the legs & lift them back up",
         "bend down from the hips & straighten up"),
        ("with the weights close to the legs", "with long arms"), ("hamstrings", "glutes", "lower back"), LEGS),
    "burpee": Words(
        ("burpee", "push-up burpee"),
        ("drop into a plank & do a push-up & jump up", "go down to the floor & push up & leap into the air",
         "squat down & kick the legs back into a push-up & jump"),
        ("without a break", "from standing to the floor and back"), ("legs", "chest", "core"), ALL),
    "mountain climber": Words(
        ("mountain climber", "plank mountain climber"),
        ("drive the knees toward the chest in a plank", "run the knees in from a push-up position",
         "pull one knee forward after the other on hands and toes"),
        (*IN_TURN, "with both hands on the floor"), ("abs", "hip flexors", "shoulders"), CORE),
    "plank": Words(
        ("plank", "high plank", "straight-arm plank", "front plank"),
        ("hold a push-up position", "brace the core on hands and toes", "keep still on hands and toes",
         "support the body on straight arms"),
        ("without moving", "facing the floor", "for a while"), ("abs", "shoulders"), CORE, verb="hold", paced=False),
    "high knees": Words(
        ("high knees", "high-knee run", "running knee lift"),
        ("run in place, lifting the knees", "drive the knees up one after the other",
         "jog in place & pull the knees up"),
        (*IN_TURN, "with the arms swinging", "on the balls of the feet"), ("hip flexors", "calves"), ALL),
    "kettlebell swing": Words(
        ("kettlebell swing", "double-arm kettlebell swing"),
        ("swing a kettlebell forward from between the legs & let it swing back",
         "snap the hips forward & swing the weight up with both arms",
         "hinge at the hips & swing the arms up to the front"),
        ("with both hands", "from the hips"), ("glutes", "hamstrings", "lower back"), ALL),
    "Russian twist": Words(
        ("Russian twist", "seated Russian twist", "seated twist"),
        ("twist the trunk from side to side", "lean back on the seat & turn the trunk left and right",
         "turn the shoulders and hands to one side and then to the other"),
        ("sitting on the floor", "leaning back a little", *IN_TURN), ("obliques", "abs"), CORE),
    "front raise": Words(
        ("front raise", "dumbbell front raise", "forward arm raise"),
        ("raise the arms to the front & lower them again", "lift the weights forward & let them down",
         "bring the hands up in front of the body and back down"),
        ("with a weight in each hand", "with the palms down"), ("front delts", "shoulders"), ARMS),
    "crunch": Words(
        ("crunch", "ab crunch", "abdominal crunch"),
        ("curl the shoulders off the floor & lower them again", "lift the head and shoulders & let them down",
         "roll the upper back up & lie back down"),
        ("with the knees bent", "with the lower back on the floor"), ("abs",), CORE),
    "glute bridge": Words(
        ("glute bridge", "hip bridge", "hip raise"),
        ("lift the hips off the floor & lower them again", "push the hips up & come back down",
         "press the feet down to raise the pelvis & let it sink"),
        ("lying on the back", "with the knees bent"), ("glutes", "hamstrings"), CARE),
    "calf raise": Words(
        ("calf raise", "heel raise", "standing calf raise"),
        ("rise onto the toes & lower the heels", "lift the heels off the floor & set them down again",
         "push up on the balls of the feet & come back down"),
        ("on both feet", "standing"), ("calves",), CARE),
    "side lunge": Words(
        ("side lunge", "lateral lunge", "alternating side lunge"),
        ("step out to the side & bend that knee & push back", "take a wide step sideways & return to standing",
         "sink onto one leg at the side & come back up"),
        (*IN_TURN, "with the other leg straight"), ("inner thighs", "glutes", "quads"), CARE),
    "inline lunge": Words(
        ("inline lunge", "in-line lunge", "split squat"),
        ("lower the back knee toward the floor & rise again",
         "sink down with one foot in front of the other & come back up",
         "bend both knees in a split stance & straighten them"),
        ("with the feet in line", "with the hands on the hips"), ("quads", "glutes"), CARE, "with the {} leg in front"),
    "hip abduction": Words(
        ("hip abduction", "standing hip abduction", "side leg raise"),
        ("raise one leg out to the side & lower it again", "lift one leg sideways & bring it back",
         "move one leg away from the body and back"),
        ("standing on the other leg", "with the hands on the hips"), ("hip abductors", "glutes"), CARE,
        "with the {} leg"),
    "straight leg raise": Words(
        ("straight leg raise", "lying leg raise", "supine leg raise"),
        ("lift one leg from the floor & lower it again", "raise one leg from the hip & let it down",
         "bring one leg up while lying & put it down again"),
        ("lying on the back", "with the other foot on the floor"), ("hip flexors", "quads"), CARE, "with the {} leg"),
    "shoulder rotation": Words(
        ("shoulder rotation", "external shoulder rotation", "rotator cuff rotation"),
        ("turn the forearms outward & bring them back in", "open the forearms to the sides & close them again",
         "rotate the upper arms out and in"),
        ("with the elbows bent", "with the forearms level"), ("rotator cuff",), CARE),
    "shoulder scaption": Words(
        ("shoulder scaption", "scaption raise", "diagonal arm raise"),
        ("raise the arms diagonally & lower them again", "lift both arms up between front and side & let them down",
         "bring the arms up at an angle and back down"),
        ("with both arms", "with the thumbs up"), ("shoulders", "rotator cuff"), CARE),
    "sit to stand": Words(
        ("sit to stand", "sit-to-stand", "chair stand", "chair rise"),
        ("stand up from a chair & sit back down", "rise from a seat & lower the body onto it again",
         "get up from a chair & sit down again"),
        ("leaning forward first", "with both feet on the floor"), ("quads", "glutes"), CARE),
    "walking": Words(
        ("walking", "taking a walk", "going on foot"),
        ("walk", "walk around", "take a walk", "go for a walk", "walk along", "move along at a walk"),
        ("step by step", "with the arms swinging", "on level ground", "across the floor"), region=DAILY),
    "running": Words(
        ("running", "jogging", "going for a run"),
        ("run", "jog", "go for a run", "run along", "jog around", "run across the floor"),
        ("with bent arms", "on level ground", "stride after stride", "with both feet off the ground at times"),
        region=DAILY),
    "walking upstairs": Words(
        ("walking upstairs", "climbing stairs", "going up the stairs"),
        ("walk upstairs", "climb the stairs", "go up the stairs", "walk up a flight of stairs", "climb a staircase",
         "go upstairs"),
        ("step by step", "one step at a time", "on foot", "from stair to stair"), region=DAILY),
    "walking downstairs": Words(
        ("walking downstairs", "descending stairs", "going down the stairs"),
        ("walk downstairs", "descend the stairs", "go down the stairs", "walk down a flight of stairs",
         "come down a staircase", "go downstairs"),
        ("step by step", "one step at a time", "on foot", "from stair to stair"), region=DAILY),
    "sitting": Words(
        ("sitting", "being seated", "sitting on a chair"),
        ("sit", "sit on a chair", "stay seated", "rest on a chair", "sit still", "remain seated"),
        ("quietly", "hardly moving", "without getting up", "for a while"), region=DAILY, paced=False),
    "standing": Words(
        ("standing", "standing still", "standing in place"),
        ("stand", "stand still", "stand in place", "stay on both feet", "remain standing", "stand around"),
        ("quietly", "hardly moving", "without walking", "for a while"), region=DAILY, paced=False),
    "lying": Words(
        ("lying", "lying down", "resting on the floor"),
        ("lie on the floor", "lie down", "rest on the floor", "lie still", "remain lying", "stay on the floor"),
        ("quietly", "hardly moving", "without getting up", "for a while"), region=DAILY, paced=False),
    "jumping": Words(
        ("jump", "vertical jump", "standing jump"),
        ("jump up & land on both feet", "leap into the air & land", "bend the knees & jump up",
         "push off the floor & come down again"),
        ("in place", "with both feet", "swinging the arms"), region=DAILY),
}  # fmt: skip
"""label -> its words."""

FAULTS: dict[str, tuple[tuple[str, str], ...]] = {
    "half range": (("stopping half way", "the range of motion is cut short"),
                   ("through only half the range of motion", "the movement stops half way")),
    "too fast": (("much too fast", "the pace is rushed"), ("rushing it", "the tempo is too fast")),
    "uneven sides": (("one side moving less than the other", "the two sides move unevenly"),
                     ("with the left arm lagging behind", "the left arm does not go as far as the right")),
    "back rounded": (("back rounded", "the back is rounded"), ("with a rounded back", "the back rounds")),
    "back arched": (("back arched", "the back is arched"), ("with an arched lower back", "the lower back arches")),
    "knees inwards": (("knees caving inward", "the knees cave inward"), ("knees falling in", "the knees fall in")),
    "knee inwards": (("the knee caving inward", "the knee caves inward"), ("the knee falling in", "the knee falls in")),
    "heels lifted": (("heels coming off the floor", "the heels come off the floor"),
                     ("heels lifting", "the heels lift")),
    "hips sagging": (("hips sagging", "the hips sag"), ("with the hips too low", "the hips drop too low")),
    "hips too high": (("hips too high", "the hips are too high"), ("with the hips in the air", "the hips stick up")),
    "hips crooked": (("hips crooked", "the hips are not level"), ("one hip dropping", "one hip drops")),
    "elbows flared": (("elbows flared", "the elbows flare out"),
                      ("with the elbows drifting out", "the elbows drift out")),
    "elbows bent": (("elbows bent", "the elbows are bent"), ("with bent arms", "the arms are not straight")),
    "trunk leaning": (("trunk leaning over", "the trunk leans over"),
                      ("with the upper body tipping", "the upper body tips")),
    "swinging": (("swinging the body", "the body swings along"),
                 ("with momentum from the trunk", "momentum does the work")),
    "pulling on the neck": (("pulling on the neck", "the neck is pulled forward"),
                            ("chin on the chest", "the neck bends")),
    "feet lifted": (("feet coming off the floor", "the feet come off the floor"), ("feet in the air", "the feet lift")),
    "arms too high": (("arms raised too high", "the arms go too high"),
                      ("with the arms going too far up", "the arms overshoot")),
    "arms half way": (("arms only half way up", "the arms go only half way up"),
                      ("with low arms", "the arms stay low")),
    "knees too low": (("knees too low", "the knees stay too low"),
                      ("barely lifting the knees", "the knees hardly come up")),
    "knees bent": (("knees bent", "the knees are bent"), ("with soft knees", "the knees do not stay straight")),
    "knee bent": (("with the knee bent", "the knee is bent"), ("knee bending", "the knee does not stay straight")),
    "swaying sideways": (("swaying sideways", "the body sways sideways"),
                         ("wobbling from side to side", "the body wobbles")),
    "not upright": (("without standing up fully", "the body never gets fully upright"),
                    ("staying bent at the top", "the hips do not straighten")),
}  # fmt: skip
"""fault -> ways to say it: as a tail to a sentence, and as a sentence."""

PLURALS: dict[str, str] = {
    "high knees": "high knees", "sit to stand": "sit-to-stands", "shoulder scaption": "shoulder scaption raises",
}  # fmt: skip
GERUNDS: dict[str, str] = {
    "sit": "sitting", "squat": "squatting", "run": "running", "drop": "dropping", "set": "setting", "get": "getting",
    "step": "stepping", "hop": "hopping", "jog": "jogging", "snap": "snapping", "let": "letting", "put": "putting",
    "lie": "lying",
}  # fmt: skip
"""Verbs that double their last letter, or change."""
