"""The browser demo: a folder for each tab, and app.py that puts them together."""
