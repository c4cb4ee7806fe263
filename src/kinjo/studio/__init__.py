"""A model for programs, over REST and WebSocket (``kinjo serve``), and for people, as a page (``kinjo studio``).

``app.create_app`` makes the service: ``guard`` decides who gets in, ``api`` answers requests, ``sockets`` streams,
``hub`` holds what they share. ``pages.mount`` puts pages on it: ``opened`` holds recordings, ``desk`` is what people do
with them, ``labels`` and ``examples`` what they said, ``views`` what the timeline fetches; ``web`` draws.
``live_page`` and ``phone`` are the screens of a ``pairs.Pair``, ``passes`` lets the phone in, ``certificate`` makes its
page secure.
"""
