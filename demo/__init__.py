"""The browser demo: a folder for each tab, and app.py, which puts them together.

Read in this order: errors, limits, turns, wire, uploads, host, guard, connections, engine, page, draw, signs, training,
inside, tools, classroom, options, deploy, app, __main__.
"""
