"""The words of chapter titles: exercises and their spellings, what is no activity, and sides, in six languages.

A phrase is looked up by its ``key``: small letters, no accents, no plural s, no hyphens.
"""

from __future__ import annotations

import unicodedata

LANGUAGES = ("en", "de", "es", "fr", "pt", "it")

Key = tuple[str, ...]

EXERCISES = """
push-up: press-up, pressup, pushup; knee push-up; incline push-up; decline push-up; diamond push-up; pike push-up
wide push-up; squat: air squat, bodyweight squat, sqauts, skwat; jump squat: squat jump; sumo squat; goblet squat
split squat; bulgarian split squat; front squat; back squat; pistol squat: single leg squat, one leg squat; wall sit
lunge: forward lunge; reverse lunge: back lunge, backward lunge; side lunge: lateral lunge; walking lunge
curtsy lunge: curtsey lunge; jump lunge: jumping lunge, lunge jump, split jump; step-up: stepup; box jump
plank: front plank, plank hold; side plank; plank jack; plank shoulder tap; forearm plank: elbow plank, low plank
high plank; shoulder tap; up-down plank: plank up down; plank jump; crunch; bicycle crunch: bicycles, bicycle
reverse crunch; sit-up: situp; v-up: v sit-up; toe touch; leg raise: lying leg raise; flutter kick; scissor kick
russian twist; mountain climber: moutain climber; burpee: burpie, burpy; jumping jacks: jumping jack, star jump
high knees: high knee, high knee run; butt kicks: butt kick, butt kicker, heel kick, bum kick; skater: skater jump
jump rope: skipping rope, rope skipping, rope jump; tuck jump; broad jump; bear crawl; crab walk; inchworm: walkout
glute bridge: bridge, hip bridge, hip raise; hip thrust; donkey kick; fire hydrant; clamshell: clam shell; superman
bird dog; dead bug; hollow hold: hollow body hold; deadlift: dead lift; romanian deadlift: rdl; good morning
kettlebell swing: kb swing; thruster; biceps curl: bicep curl; hammer curl; triceps extension: tricep extension
triceps dip: tricep dip, bench dip, chair dip; triceps kickback: tricep kickback; shoulder press: overhead press
military press; push press; bench press; chest press; lateral raise: side raise; front raise; calf raise: heel raise
chest fly: chest flye, chest flies; reverse fly: reverse flye, reverse flies; upright row; bent-over row; dumbbell row
renegade row; pull-up: pullup; chin-up: chinup; lat pulldown: lat pull down; arm circles: arm circle
hip circles: hip circle; torso twist: trunk twist; side bend; wood chop: woodchop, woodchopper; knee raise: knee lift
side leg raise; leg circle; marching in place: march in place, march on the spot, marching on the spot, march, marching
jogging in place: jog in place, jog on the spot, jogging on the spot; jogging: jog; running: run; walking: walk
downward dog: down dog, downward facing dog; upward dog; child's pose; cat cow; cobra: cobra pose; warrior
sun salutation; pigeon pose
cobra stretch; hamstring stretch; quad stretch; calf stretch; hip flexor stretch; butterfly stretch; stretch: stretching
shadow boxing: shadowboxing; jab; cross punch; uppercut; punch; side kick; front kick; kick; jump: jumping; hop; row
curl; press; raise; twist; dip; swing; lunge pulse; squat pulse; sprint; plyo lunge; sit to stand; neck roll
shoulder roll; ankle circles: ankle circle; wrist circles: wrist circle; balance; wall push-up; heel tap: heel touch
windshield wiper; standing crunch; cross jacks: cross jack; half jacks: half jack; step jacks: step jack; step touch
"""
"""``canonical: other spellings``; plurals and hyphens need none."""

SOFT = """
warm-up: warmup, warming up; cool-down: cooldown, cooling down
"""
"""Activities, unless there is a better name for them in the same title."""

FOREIGN = {
    "de": """
squat: kniebeuge, kniebeugen; jump squat: sprungkniebeuge, sprungkniebeugen; push-up: liegestütz, liegestütze
lunge: ausfallschritt, ausfallschritte; plank: unterarmstütz, brett; side plank: seitstütz, seitlicher unterarmstütz
jumping jacks: hampelmann, hampelmänner; mountain climber: bergsteiger; high knees: kniehebelauf, knie hoch
butt kicks: anfersen; glute bridge: brücke, beckenheben, schulterbrücke; calf raise: wadenheben; leg raise: beinheben
sit-up: rumpfbeugen, rumpfbeuge; crunch: bauchpresse; jump: strecksprung, strecksprünge, springen; deadlift: kreuzheben
shoulder press: schulterdrücken; lateral raise: seitheben; front raise: frontheben; row: rudern; pull-up: klimmzug
pull-up: klimmzüge; biceps curl: bizepscurls, bizeps curl; triceps extension: trizepsdrücken
jump rope: seilspringen; running: laufen, rennen; walking: gehen; marching in place: marschieren, auf der stelle gehen
jogging in place: auf der stelle laufen; stretch: dehnen, dehnung, dehnübung, dehnübungen; arm circles: armkreisen
russian twist: russischer twist; donkey kick: eselstritt; wall sit: wandsitz; shoulder roll: schulterkreisen
hip circles: hüftkreisen; bear crawl: bärengang; downward dog: herabschauender hund; child's pose: kindhaltung
cat cow: katze kuh; side lunge: seitlicher ausfallschritt, seitliche ausfallschritte
bicycle crunch: fahrradfahren; knee raise: knieheben; superman: rückenstrecker
""",
    "es": """
squat: sentadilla; jump squat: sentadilla con salto; push-up: flexión, flexiones, lagartija; lunge: zancada, desplante
plank: plancha; side plank: plancha lateral; jumping jacks: saltos de tijera, salto de tijera, saltos de estrella
mountain climber: escalador, escaladores; high knees: rodillas arriba, rodillas altas, elevación de rodillas
butt kicks: talones al glúteo, talones a los glúteos; glute bridge: puente de glúteo, puente; sit-up: abdominales
calf raise: elevación de talones, elevaciones de talones; leg raise: elevación de piernas, elevaciones de piernas
crunch: encogimientos, abdominal corto; jump: salto; deadlift: peso muerto
shoulder press: press de hombro, press militar
lateral raise: elevaciones laterales, elevación lateral; front raise: elevaciones frontales, elevación frontal
row: remo
pull-up: dominada; triceps dip: fondos de tríceps, fondos; biceps curl: curl de bíceps
jump rope: saltar la cuerda, comba
triceps extension: extensión de tríceps; running: correr, carrera; walking: caminar; marching in place: marcha, marchar
stretch: estiramiento, estirar; arm circles: círculos de brazos, círculos con los brazos; russian twist: giro ruso
donkey kick: patada de glúteo; kick: patada; wall sit: sentadilla isométrica; hip thrust: empuje de cadera
bear crawl: paso del oso; downward dog: perro boca abajo; child's pose: postura del niño; cat cow: gato vaca
bird dog: perro pájaro; side lunge: zancada lateral, estocada lateral; bicycle crunch: bicicleta
punch: puñetazo, golpes
reverse lunge: zancada atrás, zancada inversa
""",
    "fr": """
squat: flexion de jambes, flexions de jambes; jump squat: squat sauté; push-up: pompe; lunge: fente, fente avant
reverse lunge: fente arrière; side lunge: fente latérale; jump lunge: fente sautée; plank: planche, gainage
side plank: planche latérale, gainage latéral; jumping jacks: saut étoile, pantin; mountain climber: grimpeur, alpiniste
high knees: montées de genoux, montée de genoux, genoux hauts; butt kicks: talons fesses, talon fesse; row: tirage
glute bridge: pont fessier, pont, relevé de bassin; calf raise: montées sur pointes, extension mollets; jump: saut
sit-up: abdos, relevé de buste; crunch: enroulement; leg raise: relevé de jambes, levée de jambes
deadlift: soulevé de terre
shoulder press: développé épaules, développé militaire; lateral raise: élévations latérales, élévation latérale
front raise: élévations frontales, élévation frontale; pull-up: traction; biceps curl: curl biceps, flexion biceps
triceps extension: extension triceps; jump rope: corde à sauter; running: course, courir; walking: marche, marcher
jogging in place: course sur place; marching in place: marche sur place; stretch: étirement; wall sit: chaise
arm circles: cercles de bras, moulinets; russian twist: rotation russe; donkey kick: kick fessier; kick: coup de pied
punch: coup de poing; bear crawl: marche de l'ours; downward dog: chien tête en bas; child's pose: posture de l'enfant
cat cow: chat vache; bicycle crunch: vélo, pédalage; superman: extension dorsale
""",
    "pt": """
squat: agachamento; jump squat: agachamento com salto; push-up: flexão, flexões, flexão de braço, flexões de braço
lunge: afundo, avanço; reverse lunge: afundo reverso; side lunge: afundo lateral; plank: prancha
side plank: prancha lateral
jumping jacks: polichinelo; mountain climber: escalador, alpinista; high knees: joelhos altos, elevação de joelhos
high knees: corrida com joelhos altos; butt kicks: calcanhar no glúteo; glute bridge: ponte, elevação pélvica
calf raise: elevação de panturrilha, panturrilha; leg raise: elevação de pernas; sit-up: abdominal, abdominais
crunch: abdominal curto; jump: salto, pulo; deadlift: levantamento terra; shoulder press: desenvolvimento de ombros
lateral raise: elevação lateral; front raise: elevação frontal; row: remada; pull-up: barra fixa; triceps dip: mergulho
biceps curl: rosca direta, rosca bíceps; triceps extension: extensão de tríceps; jump rope: pular corda
running: corrida
running: correr; walking: caminhada, caminhar; marching in place: marcha, marcha parada; stretch: alongamento, alongar
arm circles: círculos com os braços; russian twist: abdominal russo; donkey kick: coice; kick: chute; punch: soco
wall sit: cadeirinha; bear crawl: andar do urso; child's pose: postura da criança; cat cow: gato vaca
downward dog: cachorro olhando para baixo; bird dog: perdigueiro; bicycle crunch: abdominal bicicleta, bicicleta
""",
    "it": """
squat: accosciata, piegamenti sulle gambe; jump squat: squat con salto; push-up: flessione, flessioni
push-up: piegamenti sulle braccia; lunge: affondo, affondi; reverse lunge: affondi indietro
side lunge: affondi laterali
side lunge: affondo laterale; side plank: plank laterale; jumping jacks: saltelli a gambe divaricate
mountain climber: scalatore, scalatori; high knees: ginocchia alte, skip alto; butt kicks: calciata dietro, calci dietro
glute bridge: ponte, ponte glutei; calf raise: sollevamento polpacci, alzate sulle punte; jump: salto, salti
leg raise: sollevamento gambe, alzate gambe; sit-up: addominali; crunch: addominali corti; deadlift: stacco, stacchi
shoulder press: distensioni spalle; lateral raise: alzate laterali; front raise: alzate frontali; row: rematore
pull-up: trazioni, trazione; biceps curl: curl bicipiti; triceps extension: estensioni tricipiti
running: corsa, correre
jump rope: salto della corda; walking: camminata, camminare; jogging in place: corsa sul posto; kick: calcio, calci
marching in place: marcia, marcia sul posto; stretch: allungamento, stiramento; arm circles: circonduzioni delle braccia
punch: pugno, pugni; wall sit: sedia al muro; bear crawl: camminata dell'orso; downward dog: cane a testa in giù
child's pose: posizione del bambino; cat cow: gatto mucca; bicycle crunch: bicicletta; donkey kick: slanci
""",
}

STRONG = {
    "en": """next up: coming up, up next, next exercise, next, preview
explanation: explained, how to, demo, demonstration
explanation: instruction, tutorial; talk: talking, chatting, q and a, questions
sponsor: sponsored, advert, advertisement
thanks: thank you, thank, subscribe, giveaway""",
    "de": """next up: als nächstes, nächste übung, vorschau; explanation: erklärung, anleitung, so geht's
sponsor: werbung
talk: gespräch, reden; thanks: danke, vielen dank, dankeschön, abonnieren""",
    "es": """next up: a continuación, siguiente, próximo ejercicio; explanation: explicación, instrucciones, cómo hacer
talk: charla, hablar; sponsor: patrocinador, publicidad; thanks: gracias, suscríbete""",
    "fr": """next up: à suivre, prochain exercice, exercice suivant; explanation: explication, démonstration, consignes
talk: discussion; sponsor: publicité, partenaire; thanks: merci, abonnez-vous""",
    "pt": """next up: a seguir, próximo, próximo exercício; explanation: explicação, instruções, demonstração
talk: conversa, bate-papo; sponsor: patrocinador, patrocínio, publicidade; thanks: obrigado, obrigada, inscreva-se""",
    "it": """next up: prossimo, prossimo esercizio, a seguire; explanation: spiegazione, istruzioni, dimostrazione
talk: chiacchiere, discorso; sponsor: pubblicità; thanks: grazie, iscriviti""",
}
"""No activity, whatever else the title says."""

WEAK = {
    "en": """rest: resting, break, pause, recovery, recover, breather, rest time; intro: introduction, opening, welcome
intro: hello, overview, disclaimer, equipment, what you need, about
outro: ending, closing, goodbye, bye, credit, end screen
outro: conclusion, summary, see you, well done, final words; water: drink, hydrate, hydration
get ready: ready, countdown
get ready: transition, switch, change sides, set up, setup, prepare""",
    "de": """rest: pause, erholung, ruhe; intro: einleitung, einführung, begrüßung, willkommen, hallo
water: wasser, trinken
water: trinkpause; outro: verabschiedung, tschüss, schluss, abspann; get ready: seitenwechsel, vorbereitung""",
    "es": """rest: descanso, descansar, pausa, recuperación; intro: introducción, bienvenida, bienvenidos, presentación
water: agua, hidratación; outro: despedida, cierre, adiós; get ready: prepárate, cambio de lado, preparación""",
    "fr": """rest: pause, repos, récupération; intro: présentation, bienvenue, bonjour; water: eau, boire, hydratation
outro: conclusion, au revoir, générique; get ready: préparation, changement de côté""",
    "pt": """rest: descanso, descansar, pausa, recuperação; intro: introdução, boas-vindas, apresentação; water: água
water: hidratação; outro: encerramento, despedida, tchau; get ready: prepare-se, preparação, troca de lado""",
    "it": """rest: riposo, pausa, recupero; intro: introduzione, benvenuti, presentazione, ciao
water: acqua, idratazione
outro: saluti, chiusura, conclusione; get ready: preparazione, cambio lato, preparati""",
}
"""No activity, unless an exercise is named too."""

SOFT_FOREIGN = {
    "de": "warm-up: aufwärmen, erwärmung; cool-down: abkühlen, abwärmen",
    "es": "warm-up: calentamiento; cool-down: enfriamiento, vuelta a la calma",
    "fr": "warm-up: échauffement; cool-down: retour au calme",
    "pt": "warm-up: aquecimento; cool-down: desaquecimento, volta à calma",
    "it": "warm-up: riscaldamento; cool-down: defaticamento",
}

ALONE = "sponsor: ad; intro: start, begin, go, let's go, hi; outro: end, the end, finish, fin, ende, fine, fim"
"""No activity where the title says nothing else."""

SIDES = {
    "en": """left; right
both: each side, both sides, per side, each leg, both legs, per leg, each arm, both arms, per arm""",
    "de": """left: links, linke, linkes, linker; right: rechts, rechte, rechtes, rechter; both: jede seite, beide seiten
both: pro seite, je seite, jedes bein, pro bein, beidseitig""",
    "es": """left: izquierda, izquierdo; right: derecha, derecho; both: cada lado, ambos lados, por lado, cada pierna
both: cada brazo""",
    "fr": "left: gauche; right: droite, droit; both: chaque côté, les deux côtés, par côté, chaque jambe, chaque bras",
    "pt": "left: esquerda, esquerdo; right: direita, direito; both: cada lado, ambos os lados, por lado, cada perna",
    "it": """left: sinistra, sinistro; right: destra, destro; both: ogni lato, entrambi i lati, per lato, ogni gamba
both: ogni braccio""",
}

PARTS = """side leg arm hand foot seite bein arm hand fuss lado pierna brazo mano cote jambe bras perna braco lato gamba
braccio"""
"""Keys of what a side is said of."""

FILLERS = """let do doing some the a an your my our just exercise workout work set round interval final last first
third rep repetition sec second minute kg lb pound w"""
"""Keys of words that name nothing."""
LOOSE = """and on to at in of for with per from into by off then or each"""
"""Words that neither begin nor end a name."""

STOPWORDS = {
    "en": "the and with for to on your of in each how up rest left right side do no per am die",
    "de": "und mit der die das auf zum nach übung sekunden sek minuten wiederholungen teil für am im runde seite",
    "es": "y con el los las para por segundos minutos repeticiones ejercicio del ronda al",
    "fr": "et avec le les des du pour secondes répétitions exercice sur au aux une série jambe",
    "pt": "e com os para por segundos minutos repetições exercício do da no na ao rodada braço",
    "it": "e con il gli per secondi minuti ripetizioni esercizio della del sul alle giro",
}
ACCENTS = {"de": "äöüß", "es": "ñ¿¡áíóú", "fr": "èêëàâçîïôûùœé", "pt": "ãõâêçáíóú", "it": "ìòàèù"}


def key(word: str) -> str:
    """A word as it is looked up: small, without accents, apostrophes and the s of a plural."""
    bare = word.casefold()
    if not bare.isascii():
        apart = unicodedata.normalize("NFD", bare)
        bare = "".join(c for c in apart if not unicodedata.combining(c))
    bare = "and" if bare == "&" else bare.replace("'", "")
    if len(bare) > 4 and bare.endswith(("sses", "shes", "ches", "xes")):
        return bare[:-2]
    return bare[:-1] if len(bare) > 2 and bare.endswith("s") and not bare.endswith(("ss", "us", "is")) else bare


def entries(table: str) -> list[tuple[str, str]]:
    """``(canonical, phrase)`` of every phrase of a table; the canonical name, where it is English, is one of them."""
    found = []
    for line in table.replace(";", "\n").split("\n"):
        name, _, others = line.partition(":")
        found += [(name.strip(), phrase.strip()) for phrase in others.split(",") if phrase.strip()]
    return found


def names(table: str) -> list[str]:
    """The canonical names of a table."""
    return [line.partition(":")[0].strip() for line in table.replace(";", "\n").split("\n") if line.strip()]


def keys(phrase: str) -> Key:
    """The keys of a phrase's words."""
    return tuple(key(word) for word in phrase.replace("-", " ").split())
