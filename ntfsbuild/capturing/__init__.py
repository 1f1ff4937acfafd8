"""Makes a manifest of an existing volume.

contents.py       contents: short text stays in the manifest, all else goes to files named by digest
entries.py        the entry of one file or directory
first_names.py    the name under which a file with several names is written
manifest_text.py  values as text
capture.py        the whole manifest: the volume, the tree, and notes on what a manifest cannot express
"""
