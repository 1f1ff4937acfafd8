"""The rules of a sound volume (specs/invariants.md), held against one that may be damaged in any way.

checker.py   the order of things
rules*.py    every rule: how grave it is, what it means, who says so
state.py     what the checks share; storage.py reads what may not be there
others       a module a concept; each says what is wrong and goes on

Of `volume/`, whose readers stop at the first damage, nothing is used here but the arithmetic of run lists.
(`ntfsbuild.check` is another thing: the function that tries a manifest.)
"""
