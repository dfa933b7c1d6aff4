"""When the pods of a Job complete: KWOK ends them after 1 to 5 seconds unless their annotations say otherwise."""

_STAGE = "pod-complete.stage.kwok.x-k8s.io"


def completes_after(seconds: float) -> dict[str, str]:
    """Annotations for a Job's pod template: its pods run this long, then succeed.

    Both annotations are needed: KWOK waits for the smaller of the two, and the jitter's default is 5 s.

    Raises:
        ValueError: the time is negative.
    """
    if seconds < 0:
        raise ValueError(f"seconds is {seconds:g}; a pod cannot complete before it runs, give 0 or more")
    duration = f"{round(seconds * 1000)}ms"
    return {f"{_STAGE}/delay": duration, f"{_STAGE}/jitter-delay": duration}
