"""The steps of a machine, by the last one that was done. Each module begins what follows it."""

from vms.models import MadeMachine
from vms.provisioning.engine.hand import Step
from vms.provisioning.steps import addresses, baseline, cloning, configuring, handing_over, removing, starting

Done = MadeMachine.Step

STEPS: dict[str, Step] = {
    Done.RESERVED: cloning,
    Done.CLONED: configuring,
    Done.CONFIGURED: starting,
    Done.STARTED: addresses,
    Done.ADDRESS_SEEN: baseline,
    Done.BASELINE_SAVED: handing_over,
    "removing": removing,  # whatever was done
}
