"""What can be composed to a given piece: more of it, parts of it, voices to it, variations of it.

Each task is a frozen request that settles with a composer into a plan, constraints and a prompt
(`base.Ready`). What is given is forced where it stands; what of it comes later than the place that
is written at is shown beforehand (`music.shown`), so that the network knows where it is going.
"""

from troubadour.generation.tasks.base import Task, run_task
from troubadour.generation.tasks.continuing import Continue
from troubadour.generation.tasks.harmonising import Accompany, Harmonise, Reharmonise
from troubadour.generation.tasks.infilling import Infill
from troubadour.generation.tasks.varying import Vary

__all__ = ["Accompany", "Continue", "Harmonise", "Infill", "Reharmonise", "Task", "Vary", "run_task"]
