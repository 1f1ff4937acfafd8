"""A volume turned back into a manifest.

contents.py  what files hold: short text stays in the manifest, all else goes into files named by digest
entries.py   what is said of one file or directory
capture.py   the whole: the volume, the tree, and what no manifest can say
"""
