"""kinjo-base: the small general model that ships, made from permissive data alone by one command.

    make base DATA=folder            # or: python -m kinjo.base --data folder -o out

``data`` makes the corpora, ``sources`` says what of them is trained on, ``train`` turns a recipe into a checkpoint, and
``ship`` puts weights, ONNX and provenance where ``Recognizer.load()`` and ``runtime.load()`` find them. All of it goes
on where it was stopped.
"""
