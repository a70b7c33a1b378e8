"""Generation tasks with a given piece: continuation, infilling, harmonisation, accompaniment and variation.

Each task is a frozen request. `Task.prepare` compiles it for a composer into constraints and a prompt
(`base.PreparedTask`). Given events are forced at their ticks. Given events after the first gap are also in
the prompt as visible context (`tokens.visible`), so that the network can lead up to them.
"""

from troubadour.generation.tasks.base import Task, run_task
from troubadour.generation.tasks.continuing import Continue
from troubadour.generation.tasks.harmonising import Accompany, Harmonise, Reharmonise
from troubadour.generation.tasks.infilling import Infill
from troubadour.generation.tasks.varying import Vary

__all__ = ["Accompany", "Continue", "Harmonise", "Infill", "Reharmonise", "Task", "Vary", "run_task"]
