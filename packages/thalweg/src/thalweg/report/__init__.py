"""The parts of an HTML page that works offline: charts, tables, numbers, looks, style and script.

`html` fills Jinja2 templates, `charts` and `tables` hold what they show. `text` and `looks` serve
messages and figures too, and need no library.
"""
