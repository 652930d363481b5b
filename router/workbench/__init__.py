"""Somebody's own tools and examples on the way to a router: what is in them, the training watched, the router to take.

``tools.py`` and ``examples.py`` look at what was given, ``train.py`` is a process that trains in a folder,
``report.py`` says what held-out rows say of the result, ``pack.py`` makes an archive of it. Leaves out every page.
"""
