"""What came of a course? Run folders in, one page out: `hfllm report runs/tiny`.

command.py   the verb: which folders, which file, and the mistakes one can make
runs.py      the run folders, in the order in which they read each other
story.py     what each stage does, in plain words
files.py     the other files of a run folder; a broken one is named and left out
blocks.py    what a section of the page is made of: lines.py curves, bars.py bars and intervals, table.py numbers
words.py     how shares, sizes and names are written
page.py      all sections, drawn by hfllm/templates/report.html

One file a theme, each of them `sections(course) -> the sections that its run folders are enough for`:
overview.py, text.py (crawl and tokens), pretraining.py, tuning.py, knowledge.py, identity.py, skills.py, practice.py,
preferences.py, over_optimisation.py, arena.py, cost.py, recipes.py"""
