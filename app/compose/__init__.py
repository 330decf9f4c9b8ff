"""Effects: what stands behind the person.

An effect fills the finished picture's buffer with its background; the compositor then lays the person over it. With
no trusted mask the background alone is published, so an effect must fill every pixel.
"""
