"""Hard constraints on generation: masks over the grammar, one idea a file.

A `Constraint` narrows the mask of the automaton; a `ConstrainedDecoder` combines the automaton with any
number of constraints. No combination of constraints leads to a dead end, for these reasons:

1. *A rest is always allowed.* Wherever a voice is free and no note is due, every constraint except the
   lower bound of `Density` and the order of `PitchOrder` allows a rest. It also allows a rest (or a note)
   that ends at the next tick of the grid, since no constraint requires an event before that tick. Two
   successive rests are allowed only where the mask holds nothing else.
2. *Notes that are due are known in advance.* A note is due where a given note starts, and at the latest
   onset of a voice's last note. Given notes are exempt from the other constraints; `build` checks them
   against each constraint before sampling. It also checks that each voice has a last note which all
   constraints without state allow.
3. *Constraints with state keep notes that are due possible.* `NgramBlocker` holds all notes but the last
   to one note less than the limit, and includes the given notes that follow. `Parallels` lets a note end
   where another is due only if that tick has a solution together with all voices that are known to move
   there. Both always allow a rest, so a solution that was kept stays available.
4. *A pitch is taken only if a length remains for it* (`ConstrainedDecoder.take`), since the constraints of
   point 3 forbid pairs of pitch and length. Where no pitch remains, point 1 applies.

The lower bound of `Density` requires notes rather than rests. It reserves a third more ticks than the notes
need, in which the other constraints may require rests. If these are used up, the decoder stops and the
composer draws again; the random walks of the tests found no such stop.
"""
