# SPDX-License-Identifier: MIT
"""Cases on several devices at a time, a process each: for a device whose time is real, most of
which is waited for. What comes of it is in the order of the cases, whoever is done first.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.util import Finalize
from typing import Any

from twinroute.conformance.case import Case
from twinroute.conformance.device import Device, DeviceError
from twinroute.conformance.runner import Outcome, Run, run_all

_device: Device | None = None  # of this process


def run_parallel(
    make: Callable[[], Device],
    cases: Sequence[Case],
    *,
    jobs: int,
    seed: int,
    told: Callable[[Outcome], None],
    first: bool = False,
    **options: Any,
) -> Run:
    """Run cases as run_all() does, whose options these are, on as many devices as there are jobs.

    make: makes a device, in each process, so that it has to be one that pickle knows. cases: at
    least one. Raises DeviceError, and what `make` raises.
    """
    run: Run | None = None
    work = partial(_run, make, seed, {**options, "first": first})
    # Forked, so that whatever a device starts in its process is started there alone.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"))
    try:
        # Those first that take longest, so that nobody waits for them in the end.
        parts = {one: pool.submit(work, one) for one in sorted(cases, key=_wait_ms, reverse=True)}
        for case in cases:
            part = parts[case].result()
            run = run.add(part) if run else part
            for outcome in (one for outcomes in part.outcomes.values() for one in outcomes):
                told(outcome)
            if first and part.failed:
                break
    except BrokenProcessPool:
        raise DeviceError("a process that ran cases has died") from None
    finally:
        pool.shutdown(cancel_futures=True)
    assert run
    return run


def _wait_ms(case: Case) -> float:
    return case.wait_ms


def _run(make: Callable[[], Device], seed: int, options: dict[str, Any], case: Case) -> Run:
    """Run a case on this process's device, which the first one has made."""
    global _device
    if _device is None:
        _device = make()
        Finalize(None, _device.end, exitpriority=1)
    run = Run(_device.name, _device.ours, _device.versions, seed)
    return run_all(_device, [case], run, **options)
