"""Controls that hold by construction: masks over the grammar, one idea a file.

A constraint narrows what the automaton allows (`Control`); a `Guide` joins the automaton with any
number of them. Why no conjunction of constraints comes to a dead end:

1. *A rest is always left.* Wherever a voice is free and no note is due, every constraint but the
   lower bound of `Density` and the order of `PitchOrder` allows a rest, and a rest (or a note) that
   ends at the next place of the grid: no place where a constraint wants something lies before it. Two
   rests in succession are allowed where nothing else is, and only there.
2. *Notes that are due were seen beforehand.* A note is due where a given note starts, and where a
   voice's last note has to start to be long enough. Given notes are exempt from the other constraints
   and are checked against each of them before sampling (`build.constraints`), as is whether each
   voice has a last note that all the masks without memory allow.
3. *Controls with memory keep notes that are due possible.* `NgramBlocker` holds all notes but the last
   to one note less than the limit, and looks through the given notes to come; `Parallels` lets a
   note end where one is due only if that place has a solution together with all voices that are
   known to move there. Both allow a rest at any time, so that what they keep possible stays so.
4. *A pitch is taken only if a length is left for it* (`Guide.take`), since what 3 forbids are pairs
   of pitch and length; where no pitch is left, 1 applies.

The lower bound of `Density` asks for notes rather than rests. It keeps a third more room than the
notes need, in which the other constraints may insist on rests. If they use up even that, the decoder
stops, and the composer draws again; no such stop was met in the walks of the tests.
"""
