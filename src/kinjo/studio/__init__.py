"""The service: a model for programs, over REST and WebSocket (``kinjo serve``). ``app.create_app`` makes it.

``guard`` decides who gets in, ``api`` answers requests, ``sockets`` streams, ``hub`` holds what they share.
"""
